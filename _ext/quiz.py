"""Sphinx extension: `{quiz}`, a question with radio buttons. Each choice shows its feedback; no script is needed."""

from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from tools.myst import Directive
from tools.quiz import Option, quiz


class QuizDirective(SphinxDirective):
    """A question (the argument) and a list of options with feedback (the body)."""

    required_arguments = 1
    final_argument_whitespace = True
    has_content = True
    option_spec = {"class": directives.class_option}  # noqa: RUF012 -- docutils wants a plain dictionary

    def run(self) -> list[nodes.Node]:
        """A fieldset, so that screen readers read the question with each option; on paper the right answer follows."""
        asked = quiz(Directive("quiz", self.arguments[0], {}, "\n".join(self.content)))
        name = f"quiz-{self.env.new_serialno('quiz')}"
        made: list[nodes.Node] = [self.raw('<fieldset class="quiz"><legend>')]
        made += [self.prose(asked.question), self.raw("</legend>")]
        for number, option in enumerate(asked.options):
            made += self.option(option, name, f"{name}-{number}")
        return [*made, self.raw("</fieldset>")]

    def option(self, option: Option, name: str, identity: str) -> list[nodes.Node]:
        """A radio button, its label, and the feedback that it uncovers."""
        kind = "right" if option.right else "wrong"
        return [
            self.raw(
                f'<div class="option {kind}"><input type="radio" name="{name}" id="{identity}"><label for="{identity}">'
            ),
            self.prose(option.text),
            self.raw(f'</label><div class="said" role="status"><div><strong>{option.verdict}</strong> '),
            self.prose(option.said),
            self.raw("</div></div></div>"),
        ]

    def raw(self, text: str) -> nodes.Node:
        """HTML as it is."""
        return nodes.raw("", text, format="html")

    def prose(self, text: str) -> nodes.Node:
        """Text with its math and references."""
        found, _ = self.state.inline_text(text, self.lineno)
        return nodes.inline("", "", *found)


def setup(app: Sphinx) -> dict[str, Any]:
    """Register with Sphinx."""
    app.add_directive("quiz", QuizDirective)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
