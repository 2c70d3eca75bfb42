#!/usr/bin/env bash
# Prepares what the Makefile's targets need: `setup.sh python <requirements file>` and `setup.sh browser`.
set -euo pipefail
cd "$(dirname "$0")/.."

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

may_install() {
  command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

apt_install() {
  as_root env DEBIAN_FRONTEND=noninteractive apt-get update -q
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"
}

fail() {
  echo "$*" >&2
  exit 1
}

find_python() {
  local name
  for name in ${PYTHON:-} python3.11 python3.12 python3.13 python3; do
    if command -v "$name" >/dev/null && "$name" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
      command -v "$name"
      return
    fi
  done
  fail "Python 3.11 or later is needed: apt-get install python3 python3-venv (or set PYTHON=/path/to/python3.11)."
}

make_environment() {
  # An environment whose interpreter is gone (a moved or upgraded Python) is made anew.
  if [ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1; then return; fi
  local python
  python=$(find_python)
  if ! "$python" -m venv --clear .venv 2>/dev/null; then
    may_install && apt_install python3-venv && "$python" -m venv --clear .venv ||
      fail "Python cannot make a virtual environment here: apt-get install python3-venv, then run this again."
  fi
}

install_packages() {
  local requirements=$1
  make_environment
  if .venv/bin/python -m pip install --quiet --disable-pip-version-check uv &&
    .venv/bin/python -m uv pip install --quiet --python .venv/bin/python -r "$requirements"; then
    return
  fi
  echo "uv could not install; trying pip." >&2
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
}

has_browser() {
  local name
  for name in chromium-headless-shell chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then return; fi
  done
  return 1
}

has_korean_font() {
  command -v fc-list >/dev/null && [ -n "$(fc-list :lang=ko family 2>/dev/null)" ]
}

# The engine of Chromium without the windows around it: pages are the same, and one costs a third of the processor time.
# Asked for once per environment; where it cannot be had, the whole browser does.
try_headless_shell() {
  if command -v chromium-headless-shell >/dev/null || [ -e .venv/headless-shell.asked ]; then return; fi
  may_install || return 0
  apt_install --no-remove chromium-headless-shell >/dev/null 2>&1 || echo "No chromium-headless-shell here; tests use Chromium." >&2
  touch .venv/headless-shell.asked
}

install_browser() {
  local missing=()
  try_headless_shell
  has_browser || missing+=(chromium)
  has_korean_font || missing+=(fonts-nanum fontconfig)
  [ ${#missing[@]} = 0 ] && return
  may_install || fail "The browser tests need ${missing[*]}. As root: apt-get install ${missing[*]}, then run this again."
  apt_install "${missing[@]}"
}

case "${1:-}" in
  python) install_packages "$2" ;;
  browser) install_browser ;;
  *) fail "usage: setup.sh python <requirements file> | browser" ;;
esac
