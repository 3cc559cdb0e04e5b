"""Which language a file is in: by its editor's id, else by its name.

The names are the ids that editors use (Visual Studio Code's, and those of common extensions to it),
each with the file extensions and whole file names that belong to it.
"""

from __future__ import annotations

from pathlib import PurePosixPath

_LANGUAGES = """
abap: abap
ada: ada adb ads
apex: cls trigger
asm: asm s
astro: astro
bat: bat cmd
bicep: bicep
bibtex: bib
c: c
clojure: clj cljc cljs edn
cmake: cmake CMakeLists.txt
cobol: cob cbl cpy
coffeescript: coffee
cpp: cc cpp cxx c++ h hh hpp hxx h++ ino ipp tpp
crystal: cr
csharp: cs csx
css: css
cuda-cpp: cu cuh
d: d
dart: dart
dockerfile: dockerfile Dockerfile Containerfile
elixir: ex exs
elm: elm
erb: erb
erlang: erl hrl
fortran: f f77 f90 f95 f03 f08 for
fsharp: fs fsi fsx
gdscript: gd
gleam: gleam
glsl: frag glsl vert
go: go
go.mod: go.mod
graphql: gql graphql
groovy: gradle groovy Jenkinsfile
haml: haml
handlebars: handlebars hbs
haskell: hs
hcl: hcl
hlsl: hlsl
html: htm html
ini: cfg ini
java: java
javascript: cjs js jsx mjs
json: json
jsonc: jsonc
julia: jl
kotlin: kt kts
latex: latex tex
less: less
lisp: el lisp lsp
lua: lua
makefile: mk Makefile makefile GNUmakefile
markdown: markdown md mdx
matlab: matlab
nim: nim
nix: nix
objective-c: m
objective-cpp: mm
ocaml: ml mli
pascal: dpr pas pp
perl: pl pm
php: php phtml
plaintext: txt
powershell: ps1 psd1 psm1
prisma: prisma
prolog: prolog
properties: properties
proto: proto
pug: jade pug
puppet: epp
purescript: purs
python: py pyi pyw
r: r
racket: rkt
raku: raku rakumod
razor: cshtml razor
restructuredtext: rst
ruby: gemspec rake rb ru Gemfile Rakefile
rust: rs
sass: sass
scala: sc scala
scheme: scm ss
scss: scss
shellscript: bash ksh sh zsh
slim: slim
solidity: sol
sql: sql
starlark: bzl star BUILD
svelte: svelte
swift: swift
systemverilog: sv svh
tcl: tcl
terraform: tf tfvars
toml: toml
twig: twig
typescript: cts mts ts tsx
vb: bas vb vba
verilog: v vh
vhdl: vhd vhdl
vue: vue
wgsl: wgsl
xml: xml xsd xsl xslt
yaml: yaml yml
zig: zig
"""
_ALIASES = {
    "c++": "cpp",
    "c#": "csharp",
    "dockercompose": "yaml",
    "f#": "fsharp",
    "javascriptreact": "javascript",
    "js": "javascript",
    "py": "python",
    "rb": "ruby",
    "sh": "shellscript",
    "shell": "shellscript",
    "tex": "latex",
    "ts": "typescript",
    "typescriptreact": "typescript",
    "vue-html": "vue",
}
"""What some editors call a language."""


def _by_file() -> dict[str, str]:
    found: dict[str, str] = {}
    for line in _LANGUAGES.split("\n")[1:-1]:
        name, _, files = line.partition(": ")
        found.update(dict.fromkeys(files.split(), name))
    return found


_FILES = _by_file()
NAMES = frozenset(_FILES.values())
"""Every language, by name."""


def language(identifier: str, path: str) -> str:
    """Return the name of a file's language, empty where neither id nor path tells it."""
    said = identifier.strip().lower()
    said = _ALIASES.get(said, said)
    if said in NAMES:
        return said
    name = PurePosixPath(path).name
    return _FILES.get(name) or _FILES.get(name.rpartition(".")[2].lower(), "")
