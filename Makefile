# Everything the product needs is set up by these targets; `make help` lists them.
.DEFAULT_GOAL := help
UV := $(shell command -v uv 2>/dev/null || echo .local/uv/bin/uv)
export UV_PYTHON_DOWNLOADS := never
# What Python compiles is kept, also where it is told not to write beside sources: every start takes a third of the time.
# Not in .venv: uv makes that only where nothing lies yet, and pip, which fetches uv, compiles too.
export PYTHONDONTWRITEBYTECODE :=
export PYTHONPYCACHEPREFIX := $(CURDIR)/.local/pycache
RUN := $(UV) run --frozen --no-sync

.PHONY: help setup demo test lint serve
# The viewer is prebuilt: its lock file names the one package and leaves out what is bundled in it already.
VIEWER := clients/ohif/node_modules/.package-lock.json
help: ## This list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# Into a folder of its own: Debian's Python has no venv module by itself and refuses a plain install.
$(UV):
	python3.11 -m pip install --quiet --target .local/uv uv

.venv/.synced: pyproject.toml uv.lock | $(UV)
	$(UV) sync --frozen && touch $@

$(VIEWER): clients/ohif/package-lock.json
	npm ci --prefix clients/ohif --ignore-scripts --no-audit --no-fund --loglevel=error && touch $@

setup: .venv/.synced $(VIEWER) ## Environment in .venv and the viewer, from the committed locks (no root needed)

demo: setup ## The main job end to end, then serve; ONCE=1 ends after the report
	$(RUN) spine-fracture demo $(if $(ONCE),--once)

serve: setup ## Serve the project folder on http://127.0.0.1:8000
	$(RUN) spine-fracture serve

# In two rows, for two cores, of about the same length: the tests in the browser, which mostly wait, and then these,
# beside all others. What the first row found is said at the end.
AFTER_BROWSER := tests/training tests/cohort tests/commands tests/orthanc tests/dicom
test: setup ## Set up what the tests need and run them
	./tests/setup-system.sh
	@log=$$(mktemp); \
	{ $(RUN) pytest tests/browser; seen=$$?; OMP_NUM_THREADS=1 $(RUN) pytest $(AFTER_BROWSER); exit $$((seen + $$?)); } \
		>$$log 2>&1 & beside=$$!; \
	$(RUN) pytest --ignore=tests/browser $(AFTER_BROWSER:%=--ignore=%); others=$$?; \
	wait $$beside; more=$$?; cat $$log; rm $$log; exit $$((others + more))

lint: setup ## Linters and the type checker
	$(RUN) ruff check . && $(RUN) ruff format --check . && $(RUN) mypy
