# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: elasticache.auth contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""What AWS answers with again is read once, and read right whatever the answer looks like, by botocore's parser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import botocore.session
import pytest
from botocore.awsrequest import AWSResponse
from botocore.compat import HTTPHeaders
from hypothesis import given
from hypothesis import strategies as st

from ansible_collections.elasticache.auth.plugins.module_utils._aws.repeated import Repeated, shorten_answers

OPEN, CLOSE = "<ReplicationGroup>", "</ReplicationGroup>"


def member(key: str, text: str = "") -> str:
    """A member of the list as AWS writes it."""
    return f"{OPEN}<ReplicationGroupId>{key}</ReplicationGroupId><Description>{text}</Description>{CLOSE}"


class Answers:
    """A client of ElastiCache that is answered with these pages, one after the other, and what is read of them."""

    def __init__(self) -> None:
        create: Any = botocore.session.Session().create_client
        self.client = create("elasticache", "us-east-1", aws_access_key_id="none", aws_secret_access_key="none")
        self.client.meta.events.register("before-send", self._send)
        shorten_answers(self.client, "DescribeReplicationGroups")
        self.repeated: Repeated[tuple[str, str]] = Repeated("ReplicationGroup")
        self.read: list[str] = []
        self.left: list[bytes] = []

    def _send(self, request: Any, **_event: Any) -> AWSResponse:
        return AWSResponse(request.url, 200, HTTPHeaders(), _Raw(self.left.pop(0)))

    def pages(self, *pages: Sequence[str], around: str = "") -> list[tuple[str, str]]:
        """What a sweep over these pages finds."""
        self.left = [
            (
                "<DescribeReplicationGroupsResponse><DescribeReplicationGroupsResult><ReplicationGroups>"
                f"{around.join(('', *page, ''))}</ReplicationGroups><Marker>more</Marker>"
                "</DescribeReplicationGroupsResult></DescribeReplicationGroupsResponse>"
            ).encode()
            for page in pages
        ]
        self.read = []
        return list(self.repeated.pages(self._asked(len(pages)), self._read, "ReplicationGroups"))

    def _asked(self, number: int) -> Iterator[Mapping[str, Any]]:
        for dummy in range(number):
            page = self.client.describe_replication_groups()
            assert page["Marker"] == "more"
            yield page

    def _read(self, raw: Mapping[str, Any]) -> tuple[str, str]:
        self.read.append(raw["ReplicationGroupId"])
        return raw["ReplicationGroupId"], raw.get("Description", "")


class _Raw:
    def __init__(self, body: bytes) -> None:
        self.body = body

    def stream(self, **_options: Any) -> Iterator[bytes]:
        """The body, in one piece."""
        yield self.body


@pytest.fixture(scope="module")
def answers() -> Answers:
    """One client for all: botocore takes a while to make one."""
    return Answers()


def test_reads_only_what_is_new(answers: Answers) -> None:
    """A member that is word for word the one before is not read again; one that has changed, or is new, is."""
    answers.repeated = Repeated("ReplicationGroup")
    assert answers.pages([member("a"), member("b")], [member("c")]) == [("a", ""), ("b", ""), ("c", "")]
    assert answers.read == ["a", "b", "c"]
    assert answers.pages([member("a"), member("b", "x")], [member("d"), member("c")]) == [
        ("a", ""),
        ("b", "x"),
        ("d", ""),
        ("c", ""),
    ]
    assert answers.read == ["b", "d"]
    assert answers.pages([member("a"), member("b")]) == [("a", ""), ("b", "")]
    assert answers.read == ["b"], "what was read before the last sweep is not kept"


@pytest.mark.parametrize(
    "text", ["<![CDATA[<ReplicationGroup>]]>", "<!-- </ReplicationGroup> -->", "<!-- <ReplicationGroup> -->"]
)
def test_markup_that_is_no_element_is_left_to_botocore(answers: Answers, text: str) -> None:
    """Where an element can't be told by its name alone, each member is read, as without this."""
    answers.repeated = Repeated("ReplicationGroup")
    pages = [[member("a"), member("b", text)]]
    first = answers.pages(*pages)
    assert [key for key, _text in first] == ["a", "b"]
    assert answers.pages(*pages) == first
    assert answers.read == ["a", "b"]


@given(
    st.lists(
        st.lists(
            st.lists(
                st.tuples(st.sampled_from("abcd"), st.sampled_from(["", "x", "&lt;ReplicationGroup&gt;"])), max_size=5
            ),
            max_size=3,
        ),
        max_size=4,
    ),
    st.sampled_from(["", "\n  ", "text"]),
)
def test_finds_what_the_answers_say(answers: Answers, sweeps: list[list[list[tuple[str, str]]]], around: str) -> None:
    """Each sweep finds what its pages have, in order, whatever was seen before it."""
    answers.repeated = Repeated("ReplicationGroup")
    for sweep in sweeps:
        told = [(key, text.replace("&lt;", "<").replace("&gt;", ">")) for page in sweep for key, text in page]
        assert answers.pages(*([member(*one) for one in page] for page in sweep), around=around) == told


def test_calls_of_other_threads_purposes_are_untouched(answers: Answers) -> None:
    """A call outside a sweep has all of its answer."""
    answers.repeated = Repeated("ReplicationGroup")
    answers.pages([member("a")])
    answers.left = [b"<R><DescribeReplicationGroupsResult><ReplicationGroups>" + member("a").encode()]
    answers.left[0] += b"</ReplicationGroups></DescribeReplicationGroupsResult></R>"
    assert [group["ReplicationGroupId"] for group in answers.client.describe_replication_groups()["ReplicationGroups"]]
