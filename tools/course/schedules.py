"""Whether the schedules of the page *For the teacher* add up: `python -m tools.book schedules`.

The tables of that page are the plan; minutes and prerequisites are the chapters' own. A lecture is planned at half as
much again as the reading takes, for questions; an exercise at the minutes that its first line names, and experiments
are homework.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tools.course.assignments import assignments
from tools.course.exercises import exercises
from tools.project import BookError, Project
from tools.reading import minutes
from tools.tidy import read

PAGE = "reference/for_the_teacher.md"
LECTURE_TO_READING = 1.5
HOMEWORK = "Experiment"
# What a slot of each schedule holds: minutes of lecture, minutes of exercises.
SLOTS = {"A week's block": (180, 180), "A term of twelve weeks": (90, 90)}
EVENING = ("One lecture, 90 minutes", 90)
CHAPTERS = re.compile(r"Chapters? ((?:\d+(?:, | and )?)+)")
SET = re.compile(r"[Pp]roblem set (\d+)")


@dataclass(frozen=True)
class Slot:
    """A day or week of a schedule: its chapters, minutes of lecture and of exercises, and the problem sets due."""

    name: str
    chapters: list[int]
    lecture: int
    practice: int
    due: list[int]


def rows(project: Project, title: str) -> list[list[str]]:
    """The cells of the table below a schedule's title; raises BookError where there is none."""
    text = (project.root / PAGE).read_text("utf-8")
    table = rf"^\*\*{re.escape(title)}\.\*\*[^|]*\|[^\n]*\n\|[-| ]+\n((?:\|[^\n]*\n)+)"
    found = re.search(table, text, re.MULTILINE)
    if found is None:
        raise BookError(f"{PAGE} has no table of the schedule {title!r}.")
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in found[1].splitlines()]


def chapters_in(text: str) -> list[int]:
    """The numbers of the chapters that a text names."""
    return [int(number) for found in CHAPTERS.findall(text) for number in re.findall(r"\d+", found)]


def slots(project: Project, title: str) -> list[Slot]:
    """Every day or week of a schedule."""
    reading = {project.numbers[page]: minutes(read(page)) for page in project.chapters}
    practice = dict.fromkeys(reading, 0)
    for exercise in exercises(project):
        practice[project.numbers[exercise.page]] += exercise.minutes * (exercise.grade != HOMEWORK)
    planned = []
    for name, lecture, *rest in rows(project, title):
        here = chapters_in(lecture)
        spoken = round(LECTURE_TO_READING * sum(reading[number] for number in here))
        due = [int(number) for number in SET.findall(" ".join(rest))]
        planned.append(Slot(name, here, spoken, sum(practice[number] for number in here), due))
    return planned


def needed(page: Path, project: Project) -> list[int]:
    """The numbers of the chapters that a chapter says it needs, in the first sentence of *You need*."""
    text = "\n".join(cell.source for cell in read(page).cells if cell.cell_type == "markdown")
    told = re.search(r"\*\*You need:\*\*(.*?)(?=\.\s|\*\*|\n\n|```|\Z)", text, re.DOTALL)
    stems = re.findall(r"/chapters/(\w+)", told[1]) if told else []
    numbers = {chapter.stem: project.numbers[chapter] for chapter in project.chapters}
    return [numbers[stem] for stem in stems]


def problems(project: Project) -> Iterator[str]:
    """What does not add up, a sentence each."""
    title, whole = EVENING
    if (total := sum(int(row[0]) for row in rows(project, title))) != whole:
        yield f"{title}: its parts are {total} minutes."
    after = {int(found[1]): one.after for one in assignments(project) if (found := SET.match(one.title))}
    for title, (lecture, practice) in SLOTS.items():
        seen: dict[int, int] = {}
        for turn, slot in enumerate(slots(project, title)):
            seen |= dict.fromkeys(slot.chapters, turn)
            if slot.lecture > lecture:
                yield f"{title}, {slot.name}: {slot.lecture} minutes of lecture, and there are {lecture}."
            if slot.practice > practice:
                yield f"{title}, {slot.name}: {slot.practice} minutes of exercises, and there are {practice}."
            for page in (page for page, number in project.numbers.items() if number in slot.chapters):
                for before in needed(page, project):
                    if before not in seen:
                        yield f"{title}, {slot.name}: {project.numbers[page]} needs chapter {before}, which is later."
            for number in slot.due:
                if any(seen.get(chapter, turn) >= turn for chapter in after[number]):
                    yield f"{title}, {slot.name}: problem set {number} is due before there was a week for it."
        if missing := sorted(set(project.numbers.values()) - set(seen)):
            yield f"{title} leaves out {missing}."


def show(project: Project) -> None:
    """Print every schedule with its minutes; raises BookError for one that does not add up."""
    for title in SLOTS:
        print(f"{title}\n{'':10} {'chapters':14} {'lecture':>8} {'exercises':>10}  due")
        for slot in slots(project, title):
            here, due = ", ".join(map(str, slot.chapters)), ", ".join(f"set {number}" for number in slot.due)
            print(f"{slot.name:10} {here:14} {slot.lecture:4} min {slot.practice:6} min  {due}")
    if found := list(problems(project)):
        raise BookError("\n".join(found))
