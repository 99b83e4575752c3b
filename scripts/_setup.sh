# Sourced by the scripts beside it: finds a Python, builds the virtual environment, and knows when nothing is to be done.
# shellcheck shell=bash

# Bytecode makes the second start fast (measured: 0.2 s against 0.7 s to the first frame), so nobody may forbid it here.
unset PYTHONDONTWRITEBYTECODE PYTHONUNBUFFERED PYTHONPATH PYTHONHOME

ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
readonly ROOT
readonly OLDEST="3.11"

fail() { # fail MESSAGE: one line, and out
  printf '%s\n' "$*" >&2
  exit 1
}

is_recent_enough() { # is_recent_enough PYTHON: does it run at all (a shim may not), and is it new enough?
  "$1" -c "import sys; sys.exit(sys.version_info < (${OLDEST/./, }))" >/dev/null 2>&1
}

find_python() { # find_python [3.12]: prints an interpreter; without a version the default one where it is new enough
  local wanted="${1:-}" candidate pyenv_root
  if [ -n "$wanted" ]; then
    if "python$wanted" -c '' >/dev/null 2>&1; then
      command -v "python$wanted"
      return 0
    fi
    # pyenv keeps versions that are installed and not active; its shim of that name then refuses to run.
    pyenv_root="${PYENV_ROOT:-$HOME/.pyenv}"
    for candidate in "$pyenv_root/versions/$wanted".*/bin/"python$wanted"; do
      if [ -x "$candidate" ] && "$candidate" -c '' >/dev/null 2>&1; then
        printf '%s\n' "$candidate"
        return 0
      fi
    done
    return 1
  fi
  for candidate in python3 python3.13 python3.12 python3.11 python; do
    if is_recent_enough "$candidate"; then
      command -v "$candidate"
      return 0
    fi
  done
  return 1
}

bin_of() { # bin_of VENV: where its programs are (Windows has another name for it)
  if [ -d "$1/Scripts" ]; then printf '%s\n' "$1/Scripts"; else printf '%s\n' "$1/bin"; fi
}

stamp_for() { # stamp_for VENV: what the environment was built from; empty when its Python does not run (any more)
  local version
  version="$("$(bin_of "$1")/python" -c 'import sys; print(sys.version)' 2>/dev/null)" || return 0
  # The place counts too: an editable install holds absolute paths, and does not survive a move.
  printf '%s\n%s\n%s\n' "$version" "$ROOT" "$(cksum <"$ROOT/pyproject.toml")"
}

up_to_date() { # up_to_date VENV KIND
  local stamp kind
  stamp="$(stamp_for "$1")"
  [ -n "$stamp" ] || return 1
  for kind in "$2" dev; do # "dev" holds all of "run"
    [ "$(cat "$1/.built-$kind" 2>/dev/null)" = "$stamp" ] && return 0
  done
  return 1
}

ensure_environment() { # ensure_environment VENV run|GROUP [3.12]: builds it when it is not up to date; sets BIN
  local venv="$1" kind="$2" version="${3:-}" bin started=$SECONDS
  local -a what=(--editable "$ROOT")
  if ! up_to_date "$venv" "$kind"; then
    printf 'Setting up %s: about a minute, once.\n' "${venv#"$ROOT"/}" >&2
    rm -f "$venv"/.built-*
    usable "$(bin_of "$venv")/python" || build_environment "$venv" "$version"
    bin="$(bin_of "$venv")"
    if [ "$kind" != run ]; then # pip before 25.1 knows no dependency groups
      "$bin/python" -c 'import sys, tomllib; print(*tomllib.load(open(sys.argv[1], "rb"))["dependency-groups"][sys.argv[2]], sep="\n")' \
        "$ROOT/pyproject.toml" "$kind" >"$venv/requirements-$kind.txt"
      what+=(--requirement "$venv/requirements-$kind.txt")
    fi
    if command -v uv >/dev/null 2>&1; then
      uv pip install --quiet --python "$bin/python" "${what[@]}" || fail "Set-up: uv could not install the packages (see above)."
    else
      "$bin/python" -m pip install --quiet --quiet --disable-pip-version-check "${what[@]}" \
        || fail "Set-up: pip could not install the packages (see above). Is the network there?"
    fi
    # Best effort: some packages ship files for other Pythons that cannot be compiled, and nothing needs those.
    "$bin/python" -m compileall -qq -j 0 "$venv" "$ROOT/companion" "$ROOT/rig" "$ROOT/protocols" >/dev/null 2>&1 || true
    stamp_for "$venv" >"$venv/.built-$kind"
    printf 'Set up in %s s.\n' "$((SECONDS - started))" >&2
  fi
  # shellcheck disable=SC2034 # read by the scripts that source this
  BIN="$(bin_of "$venv")"
}

usable() { # usable PYTHON: can more be installed beside it? (uv makes environments without pip)
  is_recent_enough "$1" && { command -v uv || "$1" -c 'import pip'; } >/dev/null 2>&1
}

build_environment() { # build_environment VENV [3.12]
  local venv="$1" version="${2:-}" python
  rm -rf "$venv"
  python="$(find_python "$version")" || python=""
  if command -v uv >/dev/null 2>&1; then # uv brings a Python where there is none
    uv venv --quiet --python "${python:-${version:->=$OLDEST}}" "$venv" || fail "Set-up: uv could not make $venv (see above)."
    return
  fi
  [ -n "$python" ] || fail "Set-up: no Python ${version:-$OLDEST or newer} found. Install one (python.org, or your system's packages) and try again."
  "$python" -c 'import venv, ensurepip' 2>/dev/null \
    || fail "Set-up: $python has no venv module. Install it (Debian, Ubuntu: apt install python3-venv) and try again."
  "$python" -m venv "$venv" || fail "Set-up: $python could not make $venv (see above)."
}
