"""What ties the entries of the registry together: none may name another that does not exist."""

from __future__ import annotations

from inhouse.core.naming import did_you_mean
from inhouse.errors import ConflictError, NotFoundError
from inhouse.store.changes import Kind, State, route_parts


def check(before: State, after: State) -> None:
    """Check the state that a change leads to.

    Raises:
        ConflictError: a deployment or team would go that is still in use, or two keys are the same.
        NotFoundError: a route or key names a deployment or team that does not exist.

    """
    deployments = _names(after, Kind.DEPLOYMENT)
    teams = _names(after, Kind.TEAM)
    digests: dict[str, str] = {}
    for (kind, name), document in after.items():
        if kind is Kind.ROUTE:
            for deployment in document["deployments"]:
                if deployment not in deployments:
                    raise _missing_deployment(deployment, name, before, deployments)
            feature, team = route_parts(name)
            if team and team not in teams:
                undo = f"inhouse routes inherit {feature} --team {team}"
                raise _missing_team(team, f"route '{name}'", undo, before, teams)
        elif kind is Kind.KEY:
            if document["team"] and document["team"] not in teams:
                undo = f"inhouse keys set {name} --no-team"
                raise _missing_team(document["team"], f"key '{name}'", undo, before, teams)
            if digests.setdefault(document["digest"], name) != name:
                raise ConflictError(
                    f"The key '{name}' is the same as '{digests[document['digest']]}'."
                )


def _names(state: State, wanted: Kind) -> dict[str, None]:
    """Return the names of a kind, in their order and quick to look up."""
    return dict.fromkeys(name for kind, name in state if kind is wanted)


def _missing_deployment(
    deployment: str, route: str, before: State, known: dict[str, None]
) -> ConflictError | NotFoundError:
    if (Kind.DEPLOYMENT, deployment) in before:
        feature, team = route_parts(route)
        where = f"{feature} DEPLOYMENT..." + (f" --team {team}" if team else "")
        return ConflictError(
            f"The deployment '{deployment}' still serves the route '{route}';"
            f" take it out of there first: inhouse routes set {where}",
            param=deployment,
        )
    return NotFoundError(
        f"The route '{route}' names the deployment '{deployment}', which does not exist"
        f"{did_you_mean(deployment, known) or '.'}",
        param=deployment,
    )


def _missing_team(
    team: str, user: str, undo: str, before: State, known: dict[str, None]
) -> ConflictError | NotFoundError:
    if (Kind.TEAM, team) in before:
        return ConflictError(
            f"The team '{team}' still has the {user}; take it away first: {undo}", param=team
        )
    return NotFoundError(
        f"The {user} names the team '{team}', which does not exist"
        f"{did_you_mean(team, known) or '; make it with: inhouse teams create'}",
        param=team,
    )
