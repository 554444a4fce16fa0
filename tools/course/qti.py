"""The chapters' questions and the written exam as a QTI 2.1 package, which Moodle, Canvas and ILIAS import.

One item a file, listed in `imsmanifest.xml`: a question of a chapter is a choice with feedback on each option, one of
the exam an answer in words with its key for the marker. Formulas stand as TeX between \\( and \\).
"""

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree
from xml.etree.ElementTree import Element, SubElement

from tools.citations import Bibliography
from tools.course.slides import line
from tools.labels import labels
from tools.markdown import Markdown
from tools.myst import Directive, walk
from tools.project import Project
from tools.quiz import Option, quiz
from tools.tidy import read

ITEM = "http://www.imsglobal.org/xsd/imsqti_v2p1"
PACKAGE = "http://www.imsglobal.org/xsd/imscp_v1p1"
MATCH = "http://www.imsglobal.org/question/qti_v2p1/rptemplates/match_correct"
QUESTION = re.compile(
    r"^\d+\. (?P<asked>.+?)\s\*(?P<answer>[^*]+)\*\s+(?P<reason>.+?)(?=\n\d+\. |\n\n)", re.MULTILINE | re.DOTALL
)


@dataclass(frozen=True)
class Item:
    """One question in Markdown: options if it is a choice, else the key for the marker."""

    name: str
    title: str
    asked: str
    options: list[Option] = field(default_factory=list)
    key: str = ""


def choices(project: Project) -> Iterator[Item]:
    """Every question of the chapters."""
    known, works = labels(project), Bibliography(project.root / "reference" / "references.bib")
    for page in project.chapters:
        markdown = Markdown(project, page, known, works)
        text = "\n\n".join(cell.source for cell in read(page).cells if cell.cell_type == "markdown")
        found = [quiz(piece) for piece in walk(text) if isinstance(piece, Directive) and piece.name == "quiz"]
        for turn, one in enumerate(found, start=1):
            name, title = f"{page.stem}-{turn}", f"Chapter {project.numbers[page]}, question {turn}"
            options = [Option(markdown.prose(o.text), o.right, markdown.prose(o.said)) for o in one.options]
            yield Item(name, title, markdown.prose(one.question), options)


def written(project: Project) -> Iterator[Item]:
    """Every written question of the exam."""
    text = (project.root / "course" / "exam.md").read_text("utf-8").partition("## Oral")[0]
    for number, found in enumerate(QUESTION.finditer(text + "\n\n"), start=1):
        asked, key = (" ".join(part.split()) for part in (found["asked"], f"{found['answer']} {found['reason']}"))
        yield Item(f"exam-{number:02}", f"Exam, question {number}", asked, key=key)


def item(one: Item) -> Element:
    """One question as an `assessmentItem`."""
    made = Element("assessmentItem", xmlns=ITEM, identifier=one.name, title=one.title)
    made.attrib |= {"adaptive": "false", "timeDependent": "false"}
    kind = "identifier" if one.options else "string"
    declared = SubElement(made, "responseDeclaration", identifier="RESPONSE", cardinality="single", baseType=kind)
    if one.options:
        right = next(turn for turn, option in enumerate(one.options) if option.right)
        SubElement(SubElement(declared, "correctResponse"), "value").text = f"O{right}"
    SubElement(made, "outcomeDeclaration", identifier="SCORE", cardinality="single", baseType="float")
    body = SubElement(made, "itemBody")
    if one.options:
        asked = SubElement(body, "choiceInteraction", responseIdentifier="RESPONSE", shuffle="true", maxChoices="1")
        asked.append(_inline("prompt", one.asked))
        for turn, option in enumerate(one.options):
            offered = _inline("simpleChoice", option.text)
            offered.set("identifier", f"O{turn}")
            said = _inline("feedbackInline", option.said)
            said.attrib |= {"outcomeIdentifier": "RESPONSE", "identifier": f"O{turn}", "showHide": "show"}
            offered.append(said)
            asked.append(offered)
        SubElement(made, "responseProcessing", template=MATCH)
    else:
        asked = SubElement(body, "extendedTextInteraction", responseIdentifier="RESPONSE", expectedLines="4")
        asked.append(_inline("prompt", one.asked))
        key = SubElement(body, "rubricBlock", view="scorer")
        key.append(_inline("p", one.key))
    return made


def _inline(tag: str, text: str) -> Element:
    """A line of Markdown inside an element."""
    return ElementTree.fromstring(f"<{tag}>{line(text)}</{tag}>")


def manifest(items: list[Item]) -> Element:
    """The list of the files of a package."""
    made = Element("manifest", xmlns=PACKAGE, identifier="deep-inside-convnets")
    SubElement(made, "organizations")
    listed = SubElement(made, "resources")
    for one in items:
        kept = {"identifier": f"r-{one.name}", "type": "imsqti_item_xmlv2p1", "href": f"{one.name}.xml"}
        SubElement(SubElement(listed, "resource", kept), "file", href=f"{one.name}.xml")
    return made


def write(project: Project, target: Path) -> int:
    """Write the package; the number of its questions."""
    items = [*choices(project), *written(project)]
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, element in [("imsmanifest", manifest(items)), *((one.name, item(one)) for one in items)]:
            text = ElementTree.tostring(element, encoding="utf-8", xml_declaration=True)
            archive.writestr(zipfile.ZipInfo(f"{name}.xml"), text, zipfile.ZIP_DEFLATED)
    return len(items)
