from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labctl.errors import InvalidLabFile
from labctl.lab.account import Account
from labctl.lab.blueprint import definition
from labctl.lab.blueprint.definition import Check, ClockPair, Editable, Grading, LabDefinition

PATH = Path("/labs/demo/lab.toml")

LEAST = 'id = "demo"\ntitle = "A lab"\ntopology = "two-domains"\n'

FULL = """\
id = "demo"
title = "A lab with everything"
topology = "two-domains"

[clock]
queue_run_delay = ["5m", "1s"]
maximal_queue_lifetime = ["5d", "10"]

[[accounts]]
address = "carol@beta.test"

[[accounts]]
address = "dave@alpha.test"
password = "pa$$-word"

[[editable]]
path = "zones/beta.test.zone"
service = "dns"
target = "/etc/coredns/zones/beta.test.zone"
check = ["coredns", "-conf"]

[[editable]]
path = "answers.toml"

[grading]
starter_score = 1.5
limits = { memory = "512m", cpus = 0.5, pids = 100, file_size = "8m", seconds = 60 }

[[checks]]
id = "mx"
points = 2
hint = "dig beta.test MX"

[[checks]]
id = "delivery"
points = 0.5
needs = ["mx"]
points_if_blocked = 0.25
"""


def parse(text: str) -> LabDefinition:
    return definition.parse(text, PATH)


def wrong(text: str) -> InvalidLabFile:
    with pytest.raises(InvalidLabFile) as caught:
        parse(text)
    error = caught.value
    assert str(PATH) in error.message
    assert error.path == PATH
    assert error.hint
    assert error.exit_code == 3
    return error


def test_a_definition_with_everything_is_read() -> None:
    assert parse(FULL) == LabDefinition(
        id="demo",
        title="A lab with everything",
        topology="two-domains",
        directory=Path("/labs/demo"),
        clock={
            "queue_run_delay": ClockPair("5m", "1s"),
            "maximal_queue_lifetime": ClockPair("5d", "10"),
        },
        accounts=(Account("carol@beta.test", "carol"), Account("dave@alpha.test", "pa$$-word")),
        editable=(
            Editable(
                "zones/beta.test.zone", "dns", "/etc/coredns/zones/beta.test.zone", ("coredns", "-conf")
            ),
            Editable("answers.toml"),
        ),
        grading=Grading(1.5, memory="512m", cpus=0.5, pids=100, file_size="8m", seconds=60),
        checks=(
            Check("mx", 2, "dig beta.test MX"),
            Check("delivery", 0.5, needs=("mx",), points_if_blocked=0.25),
        ),
    )


def test_the_highest_score_is_the_sum_of_the_points() -> None:
    assert parse(FULL).max_score == 2.5
    assert parse(LEAST).max_score == 0


def test_three_keys_are_enough() -> None:
    lab = parse(LEAST)
    assert (lab.clock, lab.accounts, lab.editable, lab.grading, lab.checks) == ({}, (), (), None, ())


@pytest.mark.parametrize(
    ("addition", "line", "said"),
    [
        ("colour = 1", 4, "unknown key 'colour'"),
        ("clock = 5", 4, "expected a table of settings"),
        ('[clock]\nwarp_factor = ["1s", "1s"]', 5, "unknown key 'warp_factor'"),
        ("[clock]\nqueue_run_delay = 5", 5, "queue_run_delay"),
        ('[clock]\nqueue_run_delay = ["5m"]', 5, "queue_run_delay"),
        ('[clock]\nqueue_run_delay = ["5m", 1]', 5, "queue_run_delay"),
        ('[clock]\nqueue_run_delay = ["5 m", "1s"]', 5, "queue_run_delay"),
        ('[clock]\nqueue_run_delay = ["5m", "1s\\n"]', 5, "queue_run_delay"),
        ('accounts = "carol"', 4, "expected [[accounts]] tables"),
        ("accounts = [1]", 4, "expected [[accounts]] tables"),
        ("[[accounts]]", 4, "address is missing"),
        ('[[accounts]]\naddress = "carol"', 5, "expected user@domain"),
        ('[[accounts]]\naddress = "@beta.test"', 5, "expected user@domain"),
        ('[[accounts]]\naddress = "#x@beta.test"', 5, "expected user@domain"),
        ('[[accounts]]\naddress = "a b@beta.test"', 5, "expected user@domain"),
        ('[[accounts]]\naddress = "a@b@c"', 5, "expected user@domain"),
        ('[[accounts]]\naddress = "a@b"\npassword = "x:y"', 6, "without spaces and colons"),
        ('[[accounts]]\naddress = "a@b"\npassword = "x\\ny"', 6, "without spaces and colons"),
        ('[[accounts]]\naddress = "a@b"\npassword = 5', 6, "expected a text"),
        ('[[accounts]]\naddress = "a@b"\nshell = "sh"', 6, "unknown key 'shell'"),
        ('[[accounts]]\naddress = "a@b"\n[[accounts]]\naddress = "a@b"', 5, "is there 2 times"),
        ('[[editable]]\npath = "../x"\nservice = "dns"\ntarget = "/x"', 5, "inside the attempt"),
        ('[[editable]]\npath = "a/../../x"\nservice = "dns"\ntarget = "/x"', 5, "inside the attempt"),
        ('[[editable]]\npath = "/etc/x"\nservice = "dns"\ntarget = "/x"', 5, "inside the attempt"),
        ('[[editable]]\npath = "a//b"\nservice = "dns"\ntarget = "/x"', 5, "inside the attempt"),
        ('[[editable]]\npath = "a/"\nservice = "dns"\ntarget = "/x"', 5, "inside the attempt"),
        ('[[editable]]\npath = "."\nservice = "dns"\ntarget = "/x"', 5, "inside the attempt"),
        ('[[editable]]\npath = "a"\nservice = "dns"\ntarget = "x"', 7, "an absolute path"),
        ('[[editable]]\npath = "a"\nservice = "dns"\ntarget = "/a/../x"', 7, "an absolute path"),
        ('[[editable]]\npath = "a"\nservice = "dns"\ntarget = "//x"', 7, "an absolute path"),
        ('[[editable]]\npath = "a"\nservice = "dns"\ntarget = "/"', 7, "an absolute path"),
        ('[[editable]]\npath = "a"\nservice = "dns"\ntarget = "/x"\ncheck = "sh"', 8, "a list of texts"),
        ('[[editable]]\npath = "a"\nservice = "dns"\ntarget = "/x"\ncheck = [1]', 8, "a list of texts"),
        ("grading = 5", 4, "grading: expected a table"),
        ("[grading]\nstarter_score = -1", 5, "a number from 0 on"),
        ('[grading]\nseeded = "yes"', 5, "expected true or false"),
        ("[grading]\nstarter_score = true", 5, "a number from 0 on"),
        ("[grading]\nstarter_score = nan", 5, "a number from 0 on"),
        ("[grading]\nstarter_score = inf", 5, "a number from 0 on"),
        ("[grading]\nlimits = 5", 5, "limits: expected a table"),
        ('[grading.limits]\nmemory = "much"', 5, 'expected a size as "256m"'),
        ('[grading.limits]\nseconds = "long"', 5, "a number from 0 on"),
        ('[grading.limits]\nmemory = "0m"', 5, 'expected a size as "256m"'),
        ("[grading.limits]\nfile_size = 64", 5, 'expected a size as "64m"'),
        ("[grading.limits]\ncpus = 0", 5, "a number above 0"),
        ("[grading.limits]\npids = 0", 5, "a number above 0"),
        ("[grading.limits]\ndisk = 2", 5, "unknown key 'disk'"),
        ('[[checks]]\nid = "mx"\npoints = 1\npoints_if_blocked = "1"', 7, "a number from 0 on"),
        ('[[editable]]\npath = "a"\nservice = "dns"', 4, "target is missing"),
        ('[[editable]]\npath = "a"\ntarget = "/x"', 4, "service is missing"),
        ('[[checks]]\nid = "mx"', 5, "points are missing"),
        ('[[checks]]\nid = "mx"\npoints = "2"', 6, "a number from 0 on"),
        ('[[checks]]\nid = "mx"\npoints = 1\nneeds = ["dns"]', 7, "no such check"),
        ('[[checks]]\nid = "mx"\npoints = 1\nneeds = ["mx"]', 7, "mx > mx"),
        ('[[checks]]\nid = "mx"\npoints = 1\n[[checks]]\nid = "mx"\npoints = 2', 5, "is there 2 times"),
        ("x = ", 4, "is no TOML"),
        ('x = "', 4, "is no TOML"),
        ("[clock", 4, "is no TOML"),
    ],
)
def test_what_is_wrong_is_named_with_its_line(addition: str, line: int, said: str) -> None:
    error = wrong(LEAST + addition)
    assert said in error.message
    assert error.line == line
    assert f"{PATH}:{line}: " in error.message


@pytest.mark.parametrize("key", ["id", "title", "topology"])
@pytest.mark.parametrize("value", ["5", '""', "[]", None])
def test_the_three_keys_have_to_be_texts(key: str, value: str | None) -> None:
    lines = [line for line in LEAST.splitlines() if not line.startswith(f"{key} ")]
    given = [f"{key} = {value}"] if value is not None else []
    error = wrong("\n".join([*lines, *given]))
    assert (f"{key} = " if given else f"{key} is missing") in error.message
    assert error.line == (3 if given else None)


@pytest.mark.parametrize("lab_id", ["Demo", "-demo", "de mo", "a" * 32, "../x", "démo", "demo\n"])
def test_an_id_is_made_of_few_letters(lab_id: str) -> None:
    error = wrong(LEAST.replace('"demo"', repr(lab_id).replace("'", '"')))
    assert error.line == 1


@pytest.mark.parametrize("topology", ["../two-domains", "/etc/passwd", "a" * 300, "two domains"])
def test_a_topology_is_a_name_and_no_path(topology: str) -> None:
    error = wrong(LEAST.replace('"two-domains"', f'"{topology}"'))
    assert "topology" in error.message
    assert error.line == 3


def test_the_line_is_that_of_the_key_and_not_of_a_word_like_it() -> None:
    text = 'title = "The id of an id = 5"\ntopology = "two-domains"\n# id\nid = "NO"\n'
    assert wrong(text).line == 4


def test_a_key_that_hides_in_a_comment_is_pointed_at_where_it_is_set() -> None:
    assert wrong(f"# colour\n{LEAST}colour = 1\n").line == 5


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidLabFile, match="can't be read") as caught:
        definition.load(tmp_path)
    assert caught.value.path == tmp_path / "lab.toml"


values = st.recursive(
    st.sampled_from(
        ["1", "-1", "nan", "inf", "true", '"x"', '""', '"a@b.test"', '"/x"', "1979-05-27", '["5m", "1s"]']
    ),
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda each: f"[{', '.join(each)}]")
        | st.dictionaries(
            st.sampled_from(["address", "id", "points", "path", "memory"]), inner, max_size=3
        ).map(lambda each: "{" + ", ".join(f"{key} = {value}" for key, value in each.items()) + "}")
    ),
    max_leaves=6,
)


keys = st.sampled_from(["clock", "accounts", "editable", "grading", "checks", "id", "title", "topology", "x"])


tables = st.dictionaries(keys, values).map(
    lambda table: "".join(f"{key} = {value}\n" for key, value in table.items())
)


@given(st.text() | tables)
def test_any_text_is_a_definition_or_an_invalid_file(text: str) -> None:
    try:
        lab = parse(text)
    except InvalidLabFile as error:
        assert error.line is None or 1 <= error.line <= text.count("\n") + 1  # noqa: PT017  # both are right
    else:
        assert lab.title
