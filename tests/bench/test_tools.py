"""The bench's own tools: what they count must be so before anybody believes their figures."""

import json
import shutil
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, Self

import httptools
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"
PATIENCE = 30
POLLS = 20_000

pytestmark = [
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the bench's tools need gcc"),
    pytest.mark.skipif(sys.platform != "linux", reason="the bench's tools need Linux' epoll"),
    # They share one build folder.
    pytest.mark.xdist_group("bench"),
]


class Tools(NamedTuple):
    loadgen: str
    fake_openai: str


class Answer(NamedTuple):
    status: int
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def events(self) -> list[str]:
        return [event.removeprefix("data: ") for event in self.body.decode().split("\n\n") if event]


@pytest.fixture(scope="module")
def tools() -> Tools:
    built = printed(sys.executable, str(BENCH / "ctools.py"))
    return Tools(*built.split())


@pytest.fixture
def upstream(tools: Tools) -> Iterator[int]:
    with listening(tools.fake_openai, "0") as port:
        yield port


@pytest.fixture
def reference(upstream: int) -> Iterator[int]:
    with listening(sys.executable, str(BENCH / "reference.py"), "0", str(upstream)) as port:
        yield port


@contextmanager
def listening(*command: str) -> Generator[int]:
    """Run a server that says where it listens; yield its port."""
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:  # noqa: S603, ours
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline().rpartition(" ")[2])
        finally:
            process.terminate()


class Caller:
    """A connection that asks by hand, so that a test decides what is sent when."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self._pending = b""
        self._status = 0
        self._body: list[bytes] = []
        self._complete = False

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        self._complete = True

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def post(self, model: str, path: str = "/v1/chat/completions", **fields: object) -> None:
        body = json.dumps({"model": model, **fields}).encode()
        self.send(b"POST %b HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % (path.encode(), len(body)))
        self.send(body)

    def answer(self) -> Answer:
        self._body, self._complete = [], False
        parser = httptools.HttpResponseParser(self)
        while not self._complete:
            piece = self._socket.recv(1)
            assert piece, "the server hung up"
            parser.feed_data(piece)
        return Answer(parser.get_status_code(), b"".join(self._body))

    def read_some(self) -> bytes:
        return self._socket.recv(65536)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()


def ask(port: int, model: str, path: str = "/v1/chat/completions", **fields: object) -> Answer:
    with Caller(port) as caller:
        caller.post(model, path, **fields)
        return caller.answer()


def stats(port: int) -> dict[str, int]:
    with Caller(port) as caller:
        caller.send(b"GET /stats HTTP/1.1\r\n\r\n")
        return caller.answer().json


def load(tools: Tools, port: int, body: Path, *options: str) -> dict[str, float]:
    return json.loads(printed(tools.loadgen, "-p", str(port), "-b", str(body), *options))


def printed(*command: str) -> str:
    """Run a program to its end and return what it printed."""
    done = subprocess.run(  # noqa: S603, ours
        command, check=True, capture_output=True, text=True, timeout=PATIENCE
    )
    return done.stdout


def wait_for(port: int, count: str) -> dict[str, int]:
    """Ask the fake until a count is no longer zero; return all counts."""
    for _ in range(POLLS):
        if (counts := stats(port))[count]:
            return counts
    pytest.fail(f"the fake never counted one '{count}'")


def test_the_fake_answers_a_chat_whole(upstream: int):
    answer = ask(upstream, "fake-t3").json
    assert answer["object"] == "chat.completion"
    assert answer["choices"][0]["message"]["content"] == "    return x;\n" * 3
    assert answer["usage"] == {
        "prompt_tokens": 700,
        "completion_tokens": 3,
        "total_tokens": 703,
    }


def test_the_fake_answers_a_completion_whole(upstream: int):
    answer = ask(upstream, "fake-t2", "/v1/completions").json
    assert answer["object"] == "text_completion"
    assert answer["choices"][0]["text"] == "    return x;\n" * 2


def test_the_fake_streams_as_many_tokens_as_the_name_says(upstream: int):
    events = ask(upstream, "fake-t5", stream=True, stream_options={"include_usage": True}).events
    assert events[-1] == "[DONE]"
    *tokens, end, usage = [json.loads(event) for event in events[:-1]]
    contents = [token["choices"][0]["delta"]["content"] for token in tokens]
    assert len(contents) == 5
    assert all(content.startswith("@") and content.endswith(" tok") for content in contents)
    assert end["choices"][0]["finish_reason"] == "stop"
    assert usage["usage"]["completion_tokens"] == 5


def test_the_fake_reads_a_chunked_body_byte_by_byte_and_the_next_request_behind_it(upstream: int):
    pieces = (b'{"mod', b'el":"fake-t1"', b"}")
    body = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
    head = b"POST /v1/chat/completions HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n"
    with Caller(upstream) as caller:
        for byte in (head + body) * 2:
            caller.send(bytes([byte]))
        tokens = [caller.answer().json["usage"]["completion_tokens"] for _ in range(2)]
    assert tokens == [1, 1]


@pytest.mark.parametrize(
    ("model", "stream"),
    [("fake-t100-d50", True), ("fake-t100-f60000", True), ("fake-r60000", False)],
    ids=["in mid-stream", "before the first token", "not streaming"],
)
def test_the_fake_counts_a_hang_up(upstream: int, model: str, stream: bool):
    with Caller(upstream) as caller:
        caller.post(model, stream=stream)
        if stream:
            assert caller.read_some()
        wait_for(upstream, "active")
    counts = wait_for(upstream, "aborted")
    assert (counts["aborted"], counts["active"]) == (1, 0)


def test_the_fake_counts_no_hang_up_when_its_answer_is_complete(upstream: int):
    ask(upstream, "fake-t2")
    ask(upstream, "fake-t2", stream=True)
    counts = stats(upstream)
    assert (counts["aborted"], counts["streams"], counts["chunks"]) == (0, 1, 2)


def test_the_load_generator_counts_requests(tools: Tools, upstream: int, tmp_path: Path):
    body = tmp_path / "body.json"
    body.write_text('{"model": "fake-t4"}')
    told = load(tools, upstream, body, "-n", "25", "-c", "4")
    assert (told["ok"], told["err"], told["reconn"]) == (25, 0, 0)
    assert 0 < told["p50"] <= told["p99"] <= told["max"]


def test_the_load_generator_numbers_requests(tools: Tools, tmp_path: Path):
    body = tmp_path / "body.json"
    body.write_text('{"prompt": "# ########", "file": "f########.py", "short": "#######"}')
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        command = [tools.loadgen, "-p", str(port), "-b", str(body), "-n", "2"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as loadgen:  # noqa: S603, ours
            connection, _ = server.accept()
            with connection:
                asked = [_answered(connection) for _ in range(2)]
            assert loadgen.wait(PATIENCE) == 0
    assert asked == [
        {"prompt": f"# {number:08}", "file": f"f{number:08}.py", "short": "#######"}
        for number in range(2)
    ]


def _answered(connection: socket.socket) -> Any:
    """Return the next request's body, and answer it."""
    read = b""
    while not read.endswith(b"}"):
        read += connection.recv(65536)
    connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok")
    return json.loads(read.partition(b"\r\n\r\n")[2])


def test_the_load_generator_counts_tokens(tools: Tools, upstream: int, tmp_path: Path):
    body = tmp_path / "body.json"
    body.write_text('{"model": "fake-t10", "stream": true}')
    told = load(tools, upstream, body, "-n", "7", "-c", "2", "-s")
    assert (told["ok"], told["chunks"], told["incomplete"]) == (7, 70, 0)
    assert 0 < told["cd50"] <= told["cdmax"]


def test_the_load_generator_tells_of_answers_that_are_none(
    tools: Tools, upstream: int, tmp_path: Path
):
    """An answer read as a stream has no [DONE] where it was not one."""
    body = tmp_path / "body.json"
    body.write_text('{"model": "fake-t4"}')
    assert load(tools, upstream, body, "-n", "3", "-s")["incomplete"] == 3


def test_the_load_generator_sends_at_a_rate(tools: Tools, upstream: int, tmp_path: Path):
    body = tmp_path / "body.json"
    body.write_text('{"model": "fake-t4"}')
    told = load(tools, upstream, body, "-R", "1000", "-n", "20", "-c", "3")
    assert (told["ok"], told["err"]) == (20, 0)


def test_the_reference_hands_on_what_the_upstream_says(upstream: int, reference: int):
    assert ask(reference, "fake-t3") == ask(upstream, "fake-t3")
    through = ask(reference, "fake-t4", stream=True).events
    assert len(through) == 4 + 2
    assert through[-1] == "[DONE]"


def test_the_reference_serves_many_requests_on_a_connection(
    tools: Tools, reference: int, tmp_path: Path
):
    body = tmp_path / "body.json"
    body.write_text('{"model": "fake-t4"}')
    told = load(tools, reference, body, "-n", "200", "-c", "8")
    assert (told["ok"], told["err"], told["reconn"]) == (200, 0, 0)


def test_the_reference_hands_on_a_hang_up(upstream: int, reference: int):
    with Caller(reference) as caller:
        caller.post("fake-r60000")
        wait_for(upstream, "active")
    wait_for(upstream, "aborted")
