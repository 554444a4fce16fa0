# Everything happens in tools/; README.md gives the same steps for a machine without make.
PYTHON ?= python3
BOOK = @$(PYTHON) -m tools.environment

.PHONY: book test serve notebooks check course slides editions figures clean
book:   ; $(BOOK) book
test:   ; $(BOOK) test $(if $(ALL),--all)
serve:  ; $(BOOK) serve
notebooks: ; $(BOOK) notebooks
check:  ; $(BOOK) check
course: ; $(BOOK) course $(if $(SEED),--seed "$(SEED)")
slides: ; $(BOOK) slides
editions: ; $(BOOK) editions
figures: ; $(BOOK) figures
clean:  ; @rm -rf _build
