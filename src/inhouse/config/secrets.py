"""Secret references: a value that says where the secret is instead of being it."""

from __future__ import annotations

from collections.abc import Mapping

from inhouse.config.document import Document
from inhouse.config.environment import expanded
from inhouse.core.secret import Secret


class Secrets:
    """Follows references: ``env:NAME``, ``file:PATH``, or the secret itself.

    A relative PATH starts at the folder of the document that holds the reference.
    """

    def __init__(self, document: Document, environ: Mapping[str, str]) -> None:
        """Keep where messages point, and where variables are looked up."""
        self._document = document
        self._environ = environ
        self.followed: set[str] = set()
        """The variables that were referred to."""

    def resolve(self, reference: str, where: str) -> Secret:
        """Return the secret; raises `ConfigError` naming variable or file, never a value."""
        scheme, colon, rest = reference.partition(":")
        if scheme == "env" and colon:
            return self._variable(rest.strip(), where)
        if scheme == "file" and colon:
            return self._file(rest.strip(), where)
        return Secret(reference)

    def _variable(self, name: str, where: str) -> Secret:
        self.followed.add(name)
        value = self._environ.get(name, "")
        if not value:
            self._document.fault(
                where, f"the environment variable {name} is not set; set it, or change env:{name}"
            )
        return Secret(value)

    def _file(self, name: str, where: str) -> Secret:
        path = self._document.folder / expanded(name, self._environ)
        try:
            value = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            self._document.fault(where, f"the file {path} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            self._document.fault(where, f"the file {path} is not UTF-8 text")
        except ValueError:
            self._document.fault(where, "the path of the file holds a NUL character")
        if not value:
            self._document.fault(where, f"the file {path} is empty")
        return Secret(value)
