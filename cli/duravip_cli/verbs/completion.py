"""`completion`: what makes a shell complete the command line."""

import argparse
from typing import Final

from duravip_cli.command_line import Verb
from duravip_cli.context import Context
from duravip_cli.errors import ExitCode

_BASH: Final = """\
_kubectl_duravip() {
    local words lines
    words=("${COMP_WORDS[@]:1:COMP_CWORD}")
    mapfile -t lines < <(kubectl_complete-duravip "${words[@]}" 2>/dev/null)
    [ "${#lines[@]}" -gt 0 ] || return
    if [ "${lines[-1]}" = ":0" ]; then compopt -o default; fi
    unset 'lines[-1]'
    COMPREPLY=("${lines[@]%%$'\\t'*}")
    __ltrim_colon_completions "${COMP_WORDS[COMP_CWORD]}" 2>/dev/null
}
complete -F _kubectl_duravip kubectl-duravip"""

_ZSH: Final = """\
#compdef kubectl-duravip
_kubectl_duravip() {
    local -a lines found
    lines=("${(@f)$(kubectl_complete-duravip "${(@)words[2,CURRENT]}" 2>/dev/null)}")
    if [[ "${lines[-1]}" == ":0" ]]; then _files; fi
    for line in "${(@)lines[1,-2]}"; do
        found+=("${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}")
    done
    _describe 'kubectl-duravip' found
}
compdef _kubectl_duravip kubectl-duravip"""

_FISH: Final = """\
function __kubectl_duravip
    set -l words (commandline -opc) (commandline -ct)
    kubectl_complete-duravip $words[2..-1] 2>/dev/null | string match -v -r '^:[0-9]+$'
end
complete -c kubectl-duravip -a '(__kubectl_duravip)'"""

SCRIPTS: Final = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}

VERB: Final = Verb(
    summary="Print a script that makes a shell complete `kubectl-duravip`",
    details=(
        "For `kubectl duravip` nothing but kubectl's own completion is needed: that asks "
        "kubectl_complete-duravip, which is installed beside this program."
    ),
    examples=(
        ("completion bash >/etc/bash_completion.d/kubectl-duravip", "for all users"),
        ("completion zsh >~/.zfunc/_kubectl-duravip", "in a folder of $fpath"),
    ),
    forms=(),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `completion` takes."""
    parser.add_argument("shell", choices=sorted(SCRIPTS), metavar="SHELL", help="bash, fish, zsh")


def run(context: Context) -> ExitCode:
    """Print the script."""
    context.output.block(SCRIPTS[context.arguments.shell])
    return ExitCode.OK
