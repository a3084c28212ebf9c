"""Ranked search: what a query means, in every script, and with hostile queries and records."""

from __future__ import annotations

from typing import Any

import pytest
from backends import Clock

from tta_memory_nb import InvalidArgument, MemoryPrimitive
from tta_memory_nb.search.options import SearchWeights
from tta_memory_nb.search.ranked.dates import dates_in, day_of, nearness
from tta_memory_nb.search.ranked.spelling import mistakes_between
from tta_memory_nb.search.ranked.words import Words


@pytest.fixture
def memory() -> Any:
    return MemoryPrimitive(max_size=10_000, clock=Clock()).sync


def texts(memory: Any, query: str, limit: int | None = None, **filters: Any) -> list[str]:
    return [r.value["text"] for r in memory.search_records(query, limit, "ranked", **filters)]


def add_texts(memory: Any, *added: str) -> None:
    for number, text in enumerate(added):
        memory.add(f"note-{number}", {"text": text})


# ---- words


@pytest.mark.parametrize(
    ("text", "query"),
    [
        ("The children were painting", "paints"),
        ("Ein Café in Málaga", "cafe MALAGA"),
        ("Straße", "STRASSE"),
        ("今日は東京都で会議がある", "東京都"),
        ("明天我们去北京大学", "北京"),
        ("วันนี้อากาศดีมาก", "อากาศ"),
        ("오늘 서울에서 회의가 있다", "서울"),
        ("Завтра погода будет хорошей", "погоду"),
        ("आज मौसम बहुत अच्छा है", "मौसम"),
        ("اليوم كان الطقس جميلا", "الطقس"),
        ("call parseHttpResponse first", "http response"),
        ("call parseHttpResponse first", "parseHttpResponse"),
        ("set user_id to 5", "user id"),
        ("see src/app/main.py", "src/app/main.py"),
        ("see src/app/main.py", "main.py"),
        ("needs v1.2.3 or later", "v1.2.3"),
        ("Caroline’s painting", "Caroline"),
        ("We met at OʼBrien's pub", "brien"),
        ("We met at O'Brien's pub", "O'Brien"),
        ("needs python3.11 or later", "python"),
        ("needs python3.11 or later", "python3.11"),
        ("那本书很好看", "书"),
        ("東京タワー", "東"),
        ("書", "図書館"),
        ("Rødgrød med fløde", "rodgrod"),
        ("Ærø and ÆRØ", "aero"),
        ("Œuvres de Þór", "OEUVRES thor"),
        ("Łódź", "lodz"),
        ("ısık", "ISIK"),
        ("Đà Nẵng", "da nang"),
        ("این کتاب", "كتاب اين"),
        ("في ٢٠٢٣ كان", "2023"),
        ("wir feiern 🎉 heute", "🎉"),
        ("she said 👍🏽", "👍"),
        ("👩\u200d💻 at work", "👩\u200d💻"),
        ("we won 🇩🇪!", "🇩🇪"),
        ("done ✅", "✅"),
        ("opened in Notepad++", "notepad"),
        ("built with C++17", "C++"),
    ],
)
def test_a_word_is_found_however_it_is_written(memory, text, query):
    add_texts(memory, "nothing here", text, "or there", "何もない", "ничего", "लाल")
    assert texts(memory, query)[:1] == [text]
    [hit, *_] = memory.hits(query, 1, mode="ranked")
    assert hit.spans
    for span in hit.spans:
        assert text[span.start : span.end]


def test_an_identifier_is_found_whole_before_its_parts(memory):
    add_texts(memory, "user_id of the session", "the id of a user", "user_id_map", "userId")
    assert texts(memory, "user_id")[0] == "user_id of the session"


def test_names_that_end_in_a_sign_are_told_apart(memory):
    add_texts(
        memory,
        "C is old",
        "C++ is older",
        "C# is new",
        "B+ trees",
        "a B tree",
        "Notepad++ or notepad",
    )
    assert texts(memory, "C++") == ["C++ is older"]
    assert texts(memory, "c#") == ["C# is new"]
    assert texts(memory, "C") == ["C is old"]
    assert texts(memory, "is -C++") == ["C# is new", "C is old"]
    assert texts(memory, '"C# is"') == ["C# is new"]
    assert texts(memory, "B+ tree")[0] == "B+ trees"
    assert texts(memory, "a+b") == ["a B tree"]


def test_emoji_are_words(memory):
    add_texts(memory, "party 🎉", "party 👩\u200d💻", "party 💻", "🇩🇪🇫🇷", "🇫🇷🇩🇰")
    assert texts(memory, "party -🎉") == ["party 💻", "party 👩\u200d💻"]
    assert texts(memory, '"party 🎉"') == ["party 🎉"]
    assert texts(memory, "👩\u200d💻")[0] == "party 👩\u200d💻"
    assert texts(memory, "🇩🇪") == ["🇩🇪🇫🇷"]
    # A picture that several characters are joined to is marked as a whole.
    [hit, _] = memory.hits("💻", mode="ranked")
    marked = [hit.entry.value()["text"][span.start : span.end] for span in hit.spans]
    assert marked == [hit.entry.value()["text"].partition(" ")[2]]


def test_a_query_of_stop_words_alone_is_answered_by_them(memory):
    add_texts(memory, "to be or not to be", "whatever will", "rain")
    assert texts(memory, "to be or not to be") == ["to be or not to be"]


def test_an_unknown_word_is_corrected_and_said_to_be(memory):
    add_texts(memory, "we met at the harbour", "the concert was wonderful", "42")
    found = memory.search_records("harbuor", mode="ranked")
    assert [record.value["text"] for record in found] == ["we met at the harbour"]
    assert found.reading.corrected == (("harbuor", "harbour"),)
    found = memory.search_records("the wondreful xyzzy", mode="ranked")
    assert found.reading.corrected == (("wondreful", "wonderful"),)
    assert found.reading.unknown == ("xyzzy",)
    assert found.reading.dropped == ("the",)


def test_a_mistake_does_not_count_twice_if_the_stem_ends_otherwise(memory):
    add_texts(memory, "a balcony", "the county")
    for query, corrected in (("balcnoy", "balcony"), ("conuty", "county"), ("balcony", None)):
        reading = memory.search_records(query, mode="ranked").reading
        assert reading.corrected == (() if corrected is None else ((query, corrected),))


def test_a_word_is_corrected_by_one_of_its_length_however_many_longer_ones_are_like_it(memory):
    letters = "abcdefghij"
    longer = " ".join(f"nolying{one}{other}" for one in letters for other in letters)
    add_texts(memory, longer, *(f"nolyish{one}{other}" for one in letters for other in letters))
    add_texts(memory, "the only one")
    assert memory.search_records("noly", mode="ranked").reading.corrected == (("noly", "only"),)


def test_a_short_word_is_not_corrected_to_one_whose_stem_alone_is_like_its_own(memory):
    memory.add("a:1", {"text": "all of it was lovely"})
    reading = memory.search_records("called live grup", mode="ranked").reading
    assert (reading.corrected, reading.unknown) == ((), ("called", "live", "grup"))
    memory.add("a:2", {"text": "the group"})
    reading = memory.search_records("called live grup", mode="ranked").reading
    assert (reading.corrected, reading.unknown) == ((("grup", "group"),), ("called", "live"))


@pytest.mark.parametrize(
    ("one", "other", "mistakes"),
    [
        ("rain", "rain", 0),
        ("rain", "rian", 1),
        ("rain", "rains", 1),
        ("rain", "ran", 1),
        ("ab", "xy", 2),
    ],
)
def test_mistakes_are_counted_as_damerau_does(one, other, mistakes):
    assert mistakes_between(one, other, 2) == mistakes_between(other, one, 2) == mistakes
    assert mistakes_between("a", "abcdefgh", 2) == 3


# ---- people, dates and context


def conversation(memory: Any) -> None:
    turns = (
        ("Ann", "I went to the harbour", "1:56 pm on 8 May, 2023"),
        ("Bob", "How was it?", "1:57 pm on 8 May, 2023"),
        ("Ann", "Wonderful, I saw a whale", "1:58 pm on 8 May, 2023"),
        ("Bob", "I saw a whale last year as well", "2023-06-20"),
    )
    for number, (speaker, text, date) in enumerate(turns):
        memory.add(
            f"c1:s{number // 3}:{number:08x}", {"speaker": speaker, "text": text, "date": date}
        )


def test_a_name_in_a_query_is_who_speaks_and_no_word(memory):
    conversation(memory)
    found = memory.search_records("What did Bob say about the whale?", mode="ranked")
    assert found[0].value["speaker"] == "Bob"
    assert found.reading.who == ("bob",)
    assert "bob" not in found.reading.words
    assert [r.value["speaker"] for r in memory.search_records("Ann", None, "ranked")] == ["Ann"] * 2


def test_a_neighbour_says_what_a_record_is_about(memory):
    conversation(memory)
    hits = memory.hits("harbour", mode="ranked")
    first, *others = [hit.entry.value()["text"] for hit in hits]
    assert first == "I went to the harbour"
    assert set(others) == {"How was it?", "Wonderful, I saw a whale"}
    [around] = [part for part in hits[1].explanation if part.signal == "around"]
    assert (around.asked, around.matched) == ("harbour", "harbour")
    assert around.neighbour == hits[0].entry.key


def test_a_date_in_a_query_prefers_records_of_that_day(memory):
    conversation(memory)
    assert texts(memory, "whale on 8 May 2023", 1) == ["Wonderful, I saw a whale"]
    assert texts(memory, "whale in June", 1) == ["I saw a whale last year as well"]


@pytest.mark.parametrize(
    ("text", "day"),
    [
        ("1:56 pm on 8 May, 2023", 19485),
        ("2023-05-08", 19485),
        ("2023-05-08T13:56:00.123Z", 19485),
        ("May 8, 2023", 19485),
        ("Monday, 8th of May 2023", 19485),
        ("8.5.2023 13:56", 19485),
        ("8 May 2023 was fine", None),
        ("May 2023", None),
        ("2023-02-30", None),
        ("1234567", None),
    ],
)
def test_a_text_that_is_one_instant_is_a_date(text, day):
    assert day_of(text) == day


def test_may_and_march_alone_are_no_months():
    assert dates_in("may I march?") == []
    assert [
        (asked.month, asked.day, asked.year) for asked in dates_in("in June and on 3 March 2024")
    ] == [
        (6, None, None),
        (3, 3, 2024),
    ]
    [asked] = dates_in("on 8 May 2023")
    assert [nearness(19485 + gap, asked) for gap in (-3, -2, 0, 2, 8, 31, 32)] == [
        *(0.0, 0.3, 1.0, 0.9, 0.6, 0.3, 0.0)
    ]


# ---- what a query demands


def test_quotes_minus_fields_and_users_narrow_a_query(memory):
    memory.add(
        "ann:mon:00000001", {"text": "the old bridge fell", "speaker": "Ann", "tags": ["river"]}
    )
    memory.add("ann:mon:00000002", {"text": "a bridge so old", "speaker": "Bob", "tags": ["road"]})
    memory.add("bob:tue:00000003", {"text": "old river, new bridge", "speaker": "Bob"})

    def keys(query: str) -> set[str]:
        return {r.key[-1] for r in memory.search_records(query, None, "ranked")}

    assert keys("old bridge") == {"1", "2", "3"}
    assert keys('"old bridge"') == {"1"}
    assert keys('bridge -"old bridge"') == {"2", "3"}
    assert keys("bridge -river") == {"2"}
    assert keys("tags:river") == {"1"}
    assert keys("bridge -tags:river") == {"2", "3"}
    assert keys("speaker:Bob bridge") == {"2", "3"}
    assert keys("user:ann") == {"1", "2"}
    assert keys("user:bob bridge") >= {"3"}
    assert keys("-bridge") == set()
    assert memory.count("bridge -river", "ranked") == 1
    # What looks like syntax and is none is a question.
    for query in (
        "note: bridge",
        "https://bridge",
        '"',
        "-",
        "a:b:c bridge",
        'the "bridge',
        "- bridge",
    ):
        assert "1" in keys(f"{query} bridge")


# ---- hostile queries and records


@pytest.mark.parametrize(
    "query",
    [
        *(
            "what is the",
            "?",
            "   ",
            "\x00\x01\x1b[31m",
            "\ud83d",
            "👩‍👩‍👧 🙂",
            "a" * 5000,
            "-" * 500,
            '"' * 99,
        ),
        *(
            "bridge Погода 天気 อากาศ मौसम",
            "\u0301" * 3000,
            "rain " * 100_000,
            "x:" * 9999,
            "-a " * 3000,
        ),
        " ".join(f"word{number}" for number in range(20_000)),
    ],
)
def test_a_hostile_query_is_answered_or_finds_nothing(memory, query):
    conversation(memory)
    hits = memory.hits(query, mode="ranked")
    assert memory.count(query, "ranked") == len(hits)
    for hit in hits:
        assert sum(part.amount for part in hit.explanation) == pytest.approx(hit.score)


def test_of_very_many_words_the_rarest_count(memory):
    add_texts(memory, *(f"common word{number}" for number in range(200)), "needle")
    query = " ".join(["common needle", *(f"word{number}" for number in range(150))])
    found = memory.search_records(query, None, "ranked")
    assert len(found.reading.words) == 64
    assert "common" not in found.reading.words


def test_of_a_query_that_is_very_long_the_beginning_is_read(memory):
    add_texts(memory, "rain on 8 May 2023", "needle")
    dates = " ".join(f"{day} May {year}" for day in range(1, 29) for year in range(1900, 2400))
    query = f"rain {dates} needle"
    found = memory.search_records(query, None, "ranked")
    assert [record.value["text"] for record in found] == ["rain on 8 May 2023"]
    assert found.reading.unread == len(query) - 20_000
    assert "needle" not in found.reading.words
    assert memory.search_records("needle", None, "ranked").reading.unread == 0


def test_a_record_with_very_many_places_names_each_field_once(memory):
    value = {"text": "rain " * 1000, **{f"field{number}": "rain" for number in range(1500)}}
    memory.add("huge", value)
    [record] = memory.search_records("rain", mode="ranked")
    assert len(record.matches) == len(set(record.matches)) == 1000
    [hit] = memory.hits("rain", mode="ranked")
    assert len(hit.spans) == 2500


def test_a_hostile_record_is_indexed_and_leaves_others_alone(memory):
    add_texts(memory, "a plain record about rain")
    memory.add("huge", {"text": "lorem ipsum " * 200_000 + "needle"})
    memory.add("wide", {f"field{number}": number for number in range(10_000)})
    memory.add("deep", {"a": [[[[["needle in a list"]]]]], "": {"": ["", None, True, 1.5]}})
    memory.add("marks", {"text": "\u0301" * 5000 + "needle", "speaker": "\x00"})
    memory.add("a:b", {"user": "one two three four", "time": 1e300, "at": -5, "date": "9999-99-99"})
    assert texts(memory, "rain", 1) == ["a plain record about rain"]
    found = {record.key for record in memory.search_records("needle", None, "ranked")}
    assert {"huge", "deep"} <= found
    assert [r.key for r in memory.search_records("777", None, "ranked")] == ["wide"]
    for hit in memory.hits("needle ipsum 777", mode="ranked"):
        assert sum(part.amount for part in hit.explanation) == pytest.approx(hit.score)
        assert hit.spans


def test_a_memory_that_is_not_searched_in_this_way_is_not_indexed(memory):
    conversation(memory)
    memory.search("whale")
    memory.build_index()
    assert set(memory._store._records.indexes.of_mode) == {"keyword"}


def test_a_language_and_weights_belong_to_a_memory():
    german = MemoryPrimitive(language="german").sync
    german.add("k", {"text": "Die Häuser am Hafen"})
    assert german.search_records("Haus Häfen", mode="ranked")
    with pytest.raises(InvalidArgument, match=r"language='klingon': give 'none', .*german"):
        MemoryPrimitive(language="klingon")
    with pytest.raises(InvalidArgument, match=r"weights=3: give a SearchWeights"):
        MemoryPrimitive(weights=3)
    alone = MemoryPrimitive(weights=SearchWeights(next=0, second=0, third=0, session=0)).sync
    conversation(alone)
    assert texts(alone, "harbour") == ["I went to the harbour"]


def test_the_two_ways_to_find_the_words_of_a_text_agree():
    words = Words("english")
    for text in (
        "It's user_id, v1.2.3 and parseHTTPResponse; 天気 of Погода!",
        "a_b__c 'quoted' don't e-mail x/y/z \u0301 मौसम 가나다 ABC DEFg",
        "C++ and C#/.NET, Notepad++ 👩\u200d💻👍🏽 🇩🇪🇫🇷 ٢٠٢٣ Ærø",
    ):
        counts: dict[str, int] = {}
        length = words.count(text, counts)
        found = words.of(text)
        assert length == sum(not word.whole for word in found)
        assert sum(counts.values()) == sum(len(word.terms) for word in found)
        assert {term for word in found for term in word.terms} == set(counts)


@pytest.mark.parametrize("remembered", [0, 2, 10_000])
def test_a_word_that_a_text_has_again_is_found_again(monkeypatch, remembered):
    monkeypatch.setattr("tta_memory_nb.search.ranked.words._MOST_IN_A_TEXT", remembered)
    text, words = "Ferries, user_id 天気 the ' ' v1.2 ", Words("english")
    once = list(words.spans(text))
    assert {text[start:end] for start, end, _ in once} >= {"Ferries", "user_id", "天気"}
    again = [(start + at, end + at, terms) for at in (0, len(text)) for start, end, terms in once]
    assert list(words.spans(2 * text)) == again
