"""Keys, tokens and passwords in texts.

Formats are those that the issuers of the keys document. A secret without a format of its own is known by the name
in front of it (``password: ...``) and by its entropy: keys are random, words are not. Every pattern has bounded
repetitions, so that a text takes time in proportion to its length, whatever is in it.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from math import log2
from typing import NamedTuple

from .finding import Spot


class _Format(NamedTuple):
    """How the keys of one issuer look.

    Attributes:
        what: what it is, in words.
        mark: a text that every such key contains, in lower case, so that few texts need the pattern.
        pattern: the key; its first group, if any, is the secret part.
    """

    what: str
    mark: str
    pattern: re.Pattern[str]


def _format(what: str, mark: str, pattern: str) -> _Format:
    return _Format(what, mark, re.compile(pattern))


# No letter or digit before or after a key. A key may be longer than its issuer says today.
_END = r"(?![A-Za-z0-9])"
_START = r"(?<![A-Za-z0-9])"

FORMATS: tuple[_Format, ...] = (
    _format(
        "private key",
        "private key",
        r"-----BEGIN (?:[A-Z0-9]{1,12} ){0,3}PRIVATE KEY(?: BLOCK)?-----(?:[^-]{1,8000}-----END [A-Z0-9 ]{1,40}-----)?",
    ),
    _format("PuTTY private key", "putty-user-key", r"PuTTY-User-Key-File-[23]:[^\n]{0,80}"),
    _format("age secret key", "age-secret-key-1", r"AGE-SECRET-KEY-1[0-9A-Z]{40,80}"),
    _format(
        "JSON web token", "eyj", rf"{_START}eyJ[\w-]{{8,4000}}\.eyJ[\w-]{{8,8000}}\.[\w-]{{0,2000}}"
    ),
    _format(
        "AWS access key", "a", rf"{_START}(?:AKIA|ASIA|ABIA|ACCA|A3T[A-Z0-9])[A-Z0-9]{{16}}{_END}"
    ),
    _format("GitHub token", "gh", rf"{_START}gh[pousr]_[A-Za-z0-9]{{30,255}}{_END}"),
    _format("GitHub token", "github_pat_", rf"{_START}github_pat_\w{{22,255}}"),
    _format(
        "GitLab token", "gl", rf"{_START}gl(?:pat|dt|ptt|ft|soat|rt|cbt|agent|imt)-[\w-]{{18,80}}"
    ),
    _format("Anthropic key", "sk-ant-", rf"{_START}sk-ant-[\w-]{{20,200}}"),
    _format("OpenRouter key", "sk-or-", rf"{_START}sk-or-(?:v\d-)?[\w-]{{20,200}}"),
    _format(
        "OpenAI key",
        "sk-",
        rf"{_START}sk-(?:proj|svcacct|admin|None|live|test|secret)-[\w-]{{16,250}}",
    ),
    _format("secret key", "sk-", rf"{_START}sk-[A-Za-z0-9_-]{{20,250}}"),
    _format("Stripe key", "k_", rf"{_START}[rsp]k_(?:live|test|prod)_[A-Za-z0-9]{{10,250}}{_END}"),
    _format("Stripe webhook secret", "whsec_", rf"{_START}whsec_[A-Za-z0-9+/=]{{20,100}}"),
    _format("Google API key", "aiza", rf"{_START}AIza[\w-]{{33,45}}"),
    _format("Google OAuth secret", "gocspx-", rf"{_START}GOCSPX-[\w-]{{20,40}}"),
    _format("Google OAuth token", "ya29.", rf"{_START}ya29\.[\w-]{{20,500}}"),
    _format("Slack token", "xox", rf"{_START}xox[abeoprs]-[A-Za-z0-9-]{{10,250}}"),
    _format("Slack app token", "xapp-", rf"{_START}xapp-\d-[A-Za-z0-9-]{{10,250}}"),
    _format(
        "Slack webhook",
        "hooks.slack.com",
        r"hooks\.slack\.com/(?:services|workflows|triggers)/([\w/-]{20,120})",
    ),
    _format(
        "Discord webhook",
        "/api/webhooks/",
        r"discord(?:app)?\.com/api/webhooks/(\d{10,24}/[\w-]{30,120})",
    ),
    _format(
        "Discord bot token",
        ".",
        rf"{_START}[MNO][A-Za-z\d_-]{{23,27}}\.[\w-]{{6}}\.[\w-]{{27,45}}{_END}",
    ),
    _format(
        "Teams webhook", "webhook.office.com", r"webhook\.office\.com/(webhookb2/[\w@/-]{20,200})"
    ),
    _format("Telegram bot token", ":aa", rf"{_START}\d{{8,10}}:AA[\w-]{{32,35}}{_END}"),
    _format("Hugging Face token", "hf_", rf"{_START}(?:hf_|api_org_)[A-Za-z0-9]{{30,60}}{_END}"),
    _format("Groq key", "gsk_", rf"{_START}gsk_[A-Za-z0-9]{{30,80}}{_END}"),
    _format("xAI key", "xai-", rf"{_START}xai-[A-Za-z0-9]{{40,120}}{_END}"),
    _format("Perplexity key", "pplx-", rf"{_START}pplx-[A-Za-z0-9]{{30,80}}{_END}"),
    _format("Replicate token", "r8_", rf"{_START}r8_[A-Za-z0-9]{{30,60}}{_END}"),
    _format("Tavily key", "tvly-", rf"{_START}tvly-[\w-]{{20,80}}"),
    _format(
        "LangSmith key", "lsv2_", rf"{_START}lsv2_(?:pt|sk)_[a-f0-9]{{32}}_[a-f0-9]{{6,12}}{_END}"
    ),
    _format("Pinecone key", "pcsk_", rf"{_START}pcsk_[A-Za-z0-9_]{{30,120}}"),
    _format("SendGrid key", "sg.", rf"{_START}SG\.[\w-]{{16,32}}\.[\w-]{{30,64}}"),
    _format("Mailgun key", "key-", rf"{_START}key-[a-f0-9]{{32}}{_END}"),
    _format("Mailchimp key", "-us", rf"{_START}[a-f0-9]{{32}}-us\d{{1,2}}{_END}"),
    _format("Twilio key", "sk", rf"{_START}SK[a-f0-9]{{32}}{_END}"),
    _format("Twilio account", "ac", rf"{_START}AC[a-f0-9]{{32}}{_END}"),
    _format("npm token", "npm_", rf"{_START}npm_[A-Za-z0-9]{{36}}{_END}"),
    _format("PyPI token", "pypi-", rf"{_START}pypi-AgE[\w-]{{50,1000}}"),
    _format("RubyGems key", "rubygems_", rf"{_START}rubygems_[a-f0-9]{{48}}{_END}"),
    _format("Docker token", "dckr_", rf"{_START}dckr_(?:pat|oat)_[\w-]{{24,60}}"),
    _format("DigitalOcean token", "do", rf"{_START}do[opr]_v1_[a-f0-9]{{64}}{_END}"),
    _format("Heroku token", "hrku-", rf"{_START}HRKU-[\w-]{{36,70}}"),
    _format("Shopify token", "shp", rf"{_START}shp(?:at|ca|pa|ss)_[a-fA-F0-9]{{32}}{_END}"),
    _format("Square token", "sq0", rf"{_START}sq0[a-z]{{3}}-[\w-]{{22,60}}"),
    _format("Square token", "eaaa", rf"{_START}EAAA[\w-]{{56,70}}"),
    _format("Facebook token", "eaa", rf"{_START}EAA[A-Za-z0-9]{{80,300}}{_END}"),
    _format("Databricks token", "dapi", rf"{_START}dapi[a-f0-9]{{32}}(?:-\d)?{_END}"),
    _format("Vault token", "hvs.", rf"{_START}hv[sbr]\.[\w-]{{24,200}}"),
    _format(
        "Terraform token", ".atlasv1.", rf"{_START}[A-Za-z0-9]{{14}}\.atlasv1\.[\w=-]{{60,80}}"
    ),
    _format("Linear key", "lin_api_", rf"{_START}lin_(?:api|oauth)_[A-Za-z0-9]{{32,80}}{_END}"),
    _format("Notion token", "ntn_", rf"{_START}ntn_[A-Za-z0-9]{{40,60}}{_END}"),
    _format("Notion token", "secret_", rf"{_START}secret_[A-Za-z0-9]{{43}}{_END}"),
    _format("Airtable token", "pat", rf"{_START}pat[A-Za-z0-9]{{14}}\.[a-f0-9]{{64}}{_END}"),
    _format("Figma token", "figd_", rf"{_START}figd_[\w-]{{38,60}}"),
    _format("Postman key", "pmak-", rf"{_START}PMAK-[a-f0-9]{{24}}-[a-f0-9]{{34}}{_END}"),
    _format("Grafana token", "gl", rf"{_START}glsa_[A-Za-z0-9]{{32}}_[a-f0-9]{{8}}{_END}"),
    _format("New Relic key", "nrak-", rf"{_START}NRAK-[A-Z0-9]{{27}}{_END}"),
    _format("Sentry token", "sntry", rf"{_START}sntry[su]_[\w+/=-]{{40,400}}"),
    _format("Supabase key", "sb", rf"{_START}sb(?:p_[a-f0-9]{{40}}|_secret_[\w-]{{20,60}})"),
    _format("Atlassian token", "atatt3", rf"{_START}ATATT3[\w=-]{{60,400}}"),
    _format("Dropbox token", "sl.", rf"{_START}sl\.(?:u\.)?[\w-]{{120,1500}}"),
    _format("Azure storage key", "accountkey=", r"AccountKey=([A-Za-z0-9+/]{60,100}={0,2})"),
    _format("signed Azure link", "sig=", r"[?&]sig=([A-Za-z0-9%+/]{30,120}(?:%3D|=){0,2})"),
    _format(
        "password in an address",
        "://",
        r"[a-z][a-z0-9+.-]{1,20}://[^\s:/?#@\"']{0,80}:([^\s/?#\"']{2,100})@[\w.\[\]-]{1,200}",
    ),
    _format(
        "authorization header",
        "bearer",
        r"(?i)\bbearer[ :=]{1,3}([A-Za-z0-9._~+/-]{16,2000}={0,2})",
    ),
    _format(
        "authorization header",
        "basic",
        r"(?i)\bauthorization[\"' :=]{1,5}basic ([A-Za-z0-9+/]{8,400}={0,2})",
    ),
)

_NAMES = (
    r"pass(?:word|wd|phrase|code)?|pwd|pw|secret|token|credentials?|private[ _-]?key|"
    r"(?:api|access|auth|app|client|encryption|signing|session|refresh|bearer|license|master|root|admin|secret|shared|service|ssh|deploy)"
    r"[ _-]?(?:key|token|secret|password|pass|credentials?)(?:[ _-]?id)?|contraseña|passwort|kennwort|mot de passe|senha|пароль|密码|密碼|パスワード"
)

# What a person or a program writes between the name of a secret and the secret itself.
_ASSIGNED = re.compile(
    rf"(?i)(?:(?<![a-z])|_)({_NAMES})(?:[\"'\])]{{0,2}}\s{{0,3}}(?:[:=：]|=>|:=)\s{{0,3}}"
    r"|\s{1,3}(?:is|are|was|ist|es|est|to)\s{1,2}(?:now\s|set\sto\s)?[:=]?\s{0,2}|为|是|は)"
    r"[\"'`<(\[]{0,2}([^\s\"'`<>,;]{4,300})"
)

_ONE_TIME = re.compile(
    r"(?i)\b((?:pin|otp|cvv|cvc|security code|verification code|one[- ]time (?:code|password)|2fa code|passcode))"
    r"(?:\s{1,2}(?:number|code))?(?:\s{0,2}[:=]|\s{1,2}(?:is|was))\s{0,2}(\d{3,8})\b"
)

_MARKS_OF_NAMES = (
    *(
        "pass",
        "pwd",
        "pw",
        "secret",
        "token",
        "credential",
        "key",
        "contraseña",
        "passwort",
        "kennwort",
    ),
    *("mot de passe", "senha", "пароль", "密码", "密碼", "パスワード"),
)
_MARKS_OF_CODES = ("pin", "otp", "cvv", "cvc", " code", "passcode", "password")
# No key is shorter, and few other texts have a word as long.
_LONG_WORD = re.compile(r"\S{10}")
_PLACEHOLDER = re.compile(
    r"(?i)^(?:x{3,}|\*{3,}|•{2,}.*|\.{3,}|<.*|\[.*|\{.*|\$.*|%.*|your[_-].*|my[_-].*|example.*|changeme|none|null|true|false|"
    r"redacted.*|hidden|unknown|required|undefined|string|os\.environ.*|process\.env.*|getenv.*|env\..*)$"
)

# Of one kind of character alone, a random text has at least this many bits a character (measured on keys and words).
_LEAST_BITS = 3.0
_RANDOM = re.compile(rf"{_START}[A-Za-z0-9+/_-]{{32,200}}={{0,2}}{_END}")
_RANDOM_NEAR = re.compile(r"(?i)key|token|secret|passw|credential|auth|bearer")
_NEAR = 48


def secrets_in(text: str) -> list[Spot]:
    """Returns the places of keys, tokens and passwords in a text, in order; places do not overlap."""
    lower = text.lower()
    found: list[Spot] = []
    if _LONG_WORD.search(text) is not None:
        for form in FORMATS:
            if form.mark in lower:
                for match in form.pattern.finditer(text):
                    group = 1 if form.pattern.groups else 0
                    found.append(Spot(form.what, match.span(group)))
    if any(mark in lower for mark in _MARKS_OF_NAMES):
        found.extend(_assigned(text))
    if any(mark in lower for mark in _MARKS_OF_CODES):
        found.extend(
            Spot(match[1].lower(), match.span(2), "medium") for match in _ONE_TIME.finditer(text)
        )
    if len(text) >= 32:
        found.extend(_random(text))
    return _apart(found)


def _assigned(text: str) -> Iterator[Spot]:
    """Yields what stands behind the name of a secret and does not look like a word."""
    for match in _ASSIGNED.finditer(text):
        name, value = match[1], match[2].rstrip(".?)]}")
        if len(value) < 4 or _PLACEHOLDER.match(value):
            continue
        is_assigned = text[match.end(1) : match.start(2)].strip("\"'`<([ \n\t)]").strip() in (
            ":",
            "=",
            "：",
            "=>",
            ":=",
        )
        if _is_secret(value, is_assigned=is_assigned):
            yield Spot(
                name.lower().replace("_", " "), (match.start(2), match.start(2) + len(value))
            )


def _is_secret(value: str, *, is_assigned: bool) -> bool:
    """Whether a value behind the name of a secret may be one: people write ``the password is wrong`` as well."""
    kinds = sum(
        (
            any(c.islower() for c in value),
            any(c.isupper() for c in value[1:]),
            any(c.isdigit() for c in value),
            any(not c.isalnum() for c in value.strip("-_'")),
        )
    )
    if kinds >= 3:
        return len(value) >= 5
    has_digit = any(c.isdigit() for c in value)
    if kinds == 2 and has_digit:
        return len(value) >= 5 or (is_assigned and len(value) >= 4)
    if is_assigned:
        return (
            (has_digit and len(value) >= 6) or len(value) >= 16 or (kinds >= 2 and len(value) >= 8)
        )
    return kinds >= 2 and len(value) >= 12 and entropy(value) >= _LEAST_BITS


def _random(text: str) -> Iterator[Spot]:
    """Yields long random texts that stand near a word for a secret."""
    for match in _RANDOM.finditer(text):
        value = match[0]
        has_all = any(c.isdigit() for c in value) and any(c.isalpha() for c in value)
        if not has_all or entropy(value) < 3.2:
            continue
        near = text[max(0, match.start() - _NEAR) : match.start()]
        if _RANDOM_NEAR.search(near):
            yield Spot("random text beside a word for a secret", match.span(), "high", 0.8)


def entropy(text: str) -> float:
    """Returns the Shannon entropy of the characters of a text, in bits a character."""
    if not text:
        return 0.0
    size = len(text)
    return -sum(count / size * log2(count / size) for count in Counter(text).values())


def _apart(found: list[Spot]) -> list[Spot]:
    """Returns the places in order, the first of those that overlap."""
    kept: list[Spot] = []
    for spot in sorted(found, key=lambda each: (each.span[0], -each.span[1])):
        if not kept or spot.span[0] >= kept[-1].span[1]:
            kept.append(spot)
    return kept
