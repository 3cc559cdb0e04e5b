import asyncio
import subprocess
import sys
import threading
from collections.abc import Iterable, Sequence
from pathlib import Path, PurePath

import msgspec
import pytest

from inhouse.core.catalog import Deployment
from inhouse.core.delta import Delta, Usage
from inhouse.core.documents import Document
from inhouse.core.ports import ProviderContext
from inhouse.core.prompt import Fim, Messages, Prompt, Text
from inhouse.core.requests import Message, Params
from inhouse.errors import ConfigError, UpstreamError, UpstreamFailure
from inhouse.providers.repository import Repository, builder, indexing
from inhouse.providers.repository.index import FORMAT
from inhouse.providers.repository.lexer import lex

AT_SUM = Fim(prefix="def total_cost(orders):\n    total = 0\n    for order in", path="cost.py")


def ignore(share: float, phase: str) -> None:
    del share, phase


def with_options(deployment: Deployment, **options: object) -> Deployment:
    return msgspec.structs.replace(deployment, options=options)


async def answer(
    repository: Repository, deployment: Deployment, prompt: Prompt, params: Params | None = None
) -> list[Delta]:
    return [each async for each in repository.stream(deployment, prompt, params or Params())]


async def text(
    repository: Repository, deployment: Deployment, prompt: Prompt, params: Params | None = None
) -> str:
    return "".join(each.text for each in await answer(repository, deployment, prompt, params))


def saved(context: ProviderContext) -> Path:
    (path,) = Path(context.cache, "repository").iterdir()
    return path


async def test_it_suggests_the_rest_of_the_line(
    repository: Repository, deployment: Deployment
) -> None:
    await repository.warm(deployment, ignore)
    deltas = await answer(repository, deployment, AT_SUM)
    assert deltas == [
        Delta(text=" orders:"),
        Delta(
            finish_reason="stop",
            usage=Usage(prompt_tokens=len(lex(AT_SUM.prefix)), completion_tokens=3),
        ),
    ]


async def test_a_plain_text_is_a_prefix(repository: Repository, deployment: Deployment) -> None:
    await repository.warm(deployment, ignore)
    assert await text(repository, deployment, Text(AT_SUM.prefix)) == " orders:"


async def test_it_is_silent_where_it_is_not_sure(
    repository: Repository, deployment: Deployment
) -> None:
    await repository.warm(deployment, ignore)
    bold = with_options(deployment, threshold=0.0)
    timid = with_options(deployment, threshold=1.0)
    assert await text(repository, bold, AT_SUM)
    (only,) = await answer(repository, timid, AT_SUM)
    assert (only.text, only.finish_reason) == ("", "stop")


async def test_a_calibrated_threshold_holds_where_none_is_set(
    repository: Repository, deployment: Deployment
) -> None:
    await repository.warm(deployment, ignore)
    unsaid = with_options(deployment)
    assert await text(repository, unsaid, AT_SUM) == " orders:"
    assert await text(repository, unsaid, Fim(prefix="launch(")) == ""


async def test_several_choices_are_distinct(repository: Repository, deployment: Deployment) -> None:
    await repository.warm(deployment, ignore)
    prompt = Fim(prefix="        total += order.")
    deltas = await answer(repository, deployment, prompt, Params(n=3))
    texts = {each.index: each.text for each in deltas if each.text}
    assert len(set(texts.values())) == 3
    assert set(texts.values()) <= {"price", "weight", "volume", "tax"}
    assert [each.index for each in deltas if each.finish_reason] == [0, 1, 2]
    assert [each.usage is not None for each in deltas].count(True) == 1
    assert deltas[-1].usage is not None


async def test_stop_and_limit_end_a_suggestion(
    repository: Repository, deployment: Deployment
) -> None:
    await repository.warm(deployment, ignore)
    prompt = Fim(prefix="def largest_cost(orders):\n    return max(")
    whole = await text(repository, deployment, prompt)
    assert " for " in whole
    stopped = await answer(repository, deployment, prompt, Params(stop=("never", " for ")))
    assert (stopped[0].text, stopped[-1].finish_reason) == (whole.partition(" for ")[0], "stop")
    cut = await answer(repository, deployment, prompt, Params(max_tokens=2))
    assert (cut[0].text, cut[-1].finish_reason) == ("order.", "length")


async def test_it_cannot_chat(repository: Repository, deployment: Deployment) -> None:
    prompt = Messages((Message(role="user", content="Hello"),))
    with pytest.raises(UpstreamError, match="cannot chat") as caught:
        await answer(repository, deployment, prompt)
    assert caught.value.failure is UpstreamFailure.BAD_REQUEST
    assert caught.value.deployment == "own code"


async def test_it_says_what_it_serves(repository: Repository, deployment: Deployment) -> None:
    assert [each.name for each in await repository.served(deployment)] == ["repository-index"]
    assert await repository.count_tokens(deployment, "a = b\n") == 6


async def test_it_is_not_ready_while_it_reads(
    context: ProviderContext, deployment: Deployment
) -> None:
    gate = threading.Event()

    def slow(root: PurePath, exclude: Sequence[str]) -> Iterable[Document]:
        gate.wait()
        return context.documents(root, exclude)

    repository = Repository(msgspec.structs.replace(context, documents=slow))
    try:
        for _ in range(2):
            with pytest.raises(UpstreamError, match="reading files, 0% done") as caught:
                await answer(repository, deployment, AT_SUM)
            assert caught.value.failure is UpstreamFailure.NOT_READY
            assert caught.value.retryable
        gate.set()
        await repository.warm(deployment, ignore)
        assert await text(repository, deployment, AT_SUM) == " orders:"
    finally:
        gate.set()
        await repository.aclose()


async def test_progress_goes_from_nothing_to_ready(
    repository: Repository, deployment: Deployment
) -> None:
    heard: list[tuple[float, str]] = []
    await repository.warm(deployment, lambda share, phase: heard.append((share, phase)))
    shares = [share for share, _ in heard]
    assert shares == sorted(shares)
    assert heard[0] == (0.0, "reading files")
    assert (0.1, "loading the index") in heard
    assert "indexing" in {phase for _, phase in heard}
    assert heard[-1] == (1.0, "ready")


async def test_an_unchanged_folder_is_not_indexed_again(
    context: ProviderContext, deployment: Deployment, project: Path
) -> None:
    async def warmed() -> tuple[set[str], int]:
        repository = Repository(context)
        heard: list[tuple[float, str]] = []
        await repository.warm(deployment, lambda share, phase: heard.append((share, phase)))
        assert await text(repository, deployment, AT_SUM) == " orders:"
        await repository.aclose()
        return {phase for _, phase in heard}, saved(context).stat().st_ino

    _, first = await warmed()
    phases, second = await warmed()
    assert (phases, second) == ({"reading files", "loading the index", "ready"}, first)
    (project / "price.py").write_text("changed = True\n")
    phases, _ = await warmed()
    assert "indexing" in phases


async def test_warming_again_takes_up_changes(
    repository: Repository, deployment: Deployment, project: Path
) -> None:
    await repository.warm(deployment, ignore)
    prompt = Fim(prefix="launch(count")
    assert await text(repository, deployment, prompt) == ""
    (project / "rocket.py").write_text("launch(countdown=10)\n")
    await repository.warm(deployment, ignore)
    assert await text(repository, deployment, prompt) == "down=10)"


async def test_a_damaged_index_is_built_anew(
    context: ProviderContext, deployment: Deployment
) -> None:
    for damage in (b"", b"rubbish", FORMAT + bytes(100)):
        repository = Repository(context)
        await repository.warm(deployment, ignore)
        assert await text(repository, deployment, AT_SUM) == " orders:"
        await repository.aclose()
        assert saved(context).read_bytes().startswith(FORMAT)
        saved(context).write_bytes(damage)


async def test_excluded_files_are_not_learnt(
    repository: Repository, deployment: Deployment, project: Path
) -> None:
    (project / "secret").mkdir()
    (project / "secret" / "plan.py").write_text("launch(countdown=10)\n")
    prompt = Fim(prefix="launch(count")
    await repository.warm(deployment, ignore)
    assert await text(repository, deployment, prompt) == "down=10)"
    without = with_options(deployment, exclude=["secret"], threshold=0.0)
    await repository.warm(without, ignore)
    assert await text(repository, without, prompt) == ""


async def test_an_empty_folder_answers_nothing(
    repository: Repository, deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "empty").mkdir()
    empty = msgspec.structs.replace(deployment, endpoint=(tmp_path / "empty").as_uri())
    await repository.warm(empty, ignore)
    assert await text(repository, empty, AT_SUM) in ("", " orders:")


async def test_hanging_up_gives_queries_up(repository: Repository, deployment: Deployment) -> None:
    await repository.warm(deployment, ignore)
    asked = [asyncio.create_task(text(repository, deployment, AT_SUM)) for _ in range(40)]
    await asyncio.sleep(0)
    for task in asked:
        task.cancel()
    ended = await asyncio.gather(*asked, return_exceptions=True)
    assert all(isinstance(each, asyncio.CancelledError) for each in ended)
    assert await text(repository, deployment, AT_SUM) == " orders:"


async def test_too_many_queries_are_refused_in_words(
    repository: Repository, deployment: Deployment
) -> None:
    await repository.warm(deployment, ignore)
    asked = [asyncio.create_task(text(repository, deployment, AT_SUM)) for _ in range(300)]
    ended = await asyncio.gather(*asked, return_exceptions=True)
    refused = [each for each in ended if isinstance(each, UpstreamError)]
    assert len(refused) == 44
    assert {each.failure for each in refused} == {UpstreamFailure.RATE_LIMITED}
    assert {each for each in ended if isinstance(each, str)} == {" orders:"}


async def test_closing_ends_what_is_being_indexed(
    context: ProviderContext, deployment: Deployment
) -> None:
    repository = Repository(context)
    building = asyncio.Event()

    def progress(_: float, phase: str) -> None:
        if phase == "indexing":
            building.set()

    warming = asyncio.create_task(repository.warm(deployment, progress))
    await building.wait()
    await repository.aclose()
    await asyncio.gather(warming, return_exceptions=True)
    assert warming.cancelled()


async def test_a_folder_that_is_too_large_is_refused(
    context: ProviderContext, deployment: Deployment
) -> None:
    page = Document("page.py", "x" * (1 << 20))

    def endless(_root: PurePath, _exclude: Sequence[str]) -> Iterable[Document]:
        while True:
            yield page

    repository = Repository(msgspec.structs.replace(context, documents=endless))
    with pytest.raises(ConfigError, match=r"more than 64 MB.*options\.exclude"):
        await repository.warm(deployment, ignore)
    with pytest.raises(ConfigError, match="more than 64 MB"):
        await answer(repository, deployment, AT_SUM)
    await repository.aclose()


async def test_a_failed_build_says_why(
    context: ProviderContext, deployment: Deployment, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    repository = Repository(msgspec.structs.replace(context, cache=tmp_path / "file"))
    with pytest.raises(UpstreamError, match=r"could not be made: .*Not a directory") as caught:
        await repository.warm(deployment, ignore)
    assert caught.value.failure is UpstreamFailure.SERVER
    await repository.aclose()


@pytest.mark.parametrize(
    ("field", "value", "param", "message"),
    [
        ("identifier", "repository/other", "identifier", "must be 'repository/index'"),
        ("endpoint", "", "endpoint", "absolute path"),
        ("endpoint", "relative/folder", "endpoint", "absolute path"),
        ("endpoint", "http://example.com/code", "endpoint", "absolute path"),
        ("endpoint", "/there/is/no/such/folder", "endpoint", "no folder '/there/is/no/such"),
        ("options", {"excludes": []}, "options", "unknown field `excludes`"),
        ("options", {"exclude": "*.py"}, "options", "Expected `array`"),
        ("options", {"threshold": 2}, "options", "<= 1"),
    ],
)
def test_a_wrong_deployment_is_refused(
    context: ProviderContext,
    deployment: Deployment,
    field: str,
    value: object,
    param: str,
    message: str,
) -> None:
    repository = Repository(context)
    repository.check(deployment)
    with pytest.raises(ConfigError, match=message) as caught:
        repository.check(msgspec.structs.replace(deployment, **{field: value}))
    assert caught.value.param == param
    assert "own code" in caught.value.message


def test_loading_the_provider_does_not_load_numpy() -> None:
    program = (
        "import sys, inhouse.providers.repository, inhouse.context.files;"
        "sys.exit('numpy' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)  # noqa: S603 -- our own program


def test_a_builder_whose_gateway_is_gone_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "index"
    frames = builder.frame(builder.Job(str(path), "key")) + builder.frame(Document("a.py", "a = 1"))
    ended = subprocess.run(
        [sys.executable, "-m", "inhouse.providers.repository.builder"],
        input=frames,
        capture_output=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (1, b"")
    assert list(tmp_path.iterdir()) == []


def test_the_name_of_a_saved_index_tells_folders_apart() -> None:
    root = Path("/a")
    names = {
        indexing.Folder(root).file,
        indexing.Folder(root, ("b", "c")).file,
        indexing.Folder(root, ("bc",)).file,
    }
    assert len(names) == 3
