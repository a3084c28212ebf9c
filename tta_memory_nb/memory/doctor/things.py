"""Tells the rules of machines, programs and places, which people reset and replace at work, from those of an agent.

"Reset all existing rules of the firewall" is the note of an operator. What makes it one is the thing behind it, or in the
midst of it, to which the rules belong. Words that speak to an agent, anywhere in the text, make it an instruction again.
"""

from __future__ import annotations

import re

_MACHINES = (
    "firewall iptables nftables ufw router routers switch switches gateway proxy vpn dns dhcp vlan vlans subnet subnets network networks wifi wi-fi "
    "port ports interface interfaces nginx apache haproxy traefik envoy server servers host hosts cluster clusters kubernetes node nodes bucket buckets balancer "
    "balancers limiter database databases table tables schema column columns index queue queues cache pipeline pipelines deployment staging repository repo branch "
    "linter compiler formatter editor shell terminal script scripts cron crontab scheduler dispatcher solver compose docker container containers "
    "grafana prometheus alertmanager alert alerts monitoring dashboard dashboards backup backups printer printers scanner camera cameras alarm alarms "
    "thermostat thermostats heating boiler oven dishwasher machine machines elevator elevators lift conveyor belt pump pumps turbine reactor robot "
    "mower vacuum sprinkler sprinklers kiosk kiosks laptop laptops phone phones tablet tablets television radio sensor sensors meter meters lab"
)
_PROGRAMS = (
    "outlook gmail thunderbird exchange mailbox mailboxes inbox spam calendar spreadsheet spreadsheets excel sheet sheets jira confluence trello "
    "drive drives upload uploads download downloads"
)
_PLACES = (
    "parking yard garage gate gates door doors building buildings warehouse plant factory depot station platform hotel restaurant canteen kitchen lunch "
    "dinner breakfast venue museum school class exam exams gym pool court field garden park office floor room rooms ward clinic pharmacy "
    "bridge route road roads track tracks"
)
_WORK = (
    "supplier suppliers caterer wholesaler landlord tenant tenants branch tender brand colours colors travel expenses invoices "
    "invoice warranty festival season league tournament game games match audit migration purchase"
)
_THINGS = "|".join(
    re.escape(word) for word in sorted({*f"{_MACHINES} {_PROGRAMS} {_PLACES} {_WORK}".split()})
)
# The thing that the rules belong to: "of the firewall", "on upload size in nginx".
_BEHIND = re.compile(
    rf"\s{{1,3}}(?:[\w-]{{1,20}}\s{{1,3}}){{0,1}}?(?:of|in|on|for|from|at|to)\s{{1,3}}(?:[\w'’-]{{1,20}}\s{{1,3}}){{0,3}}?(?:{_THINGS})\b",
    re.IGNORECASE,
)
_WITHIN = re.compile(rf"\b(?:{_THINGS})\b", re.IGNORECASE)
# What is only named like rules: "training sessions", "policy files", "requirements.txt".
_NAMED = re.compile(
    r"(?:\.\w{1,5}\b|\s{1,3}(?:plans?|sessions?|courses?|files?|folders?|lists?|forms?|templates?|librar(?:y|ies))\b)",
    re.IGNORECASE,
)
_SPOKEN_TO = re.compile(
    r"\b(?:you|your|yours|yourself|u|me|my|mine|i|us|obey\w*|reveal\w*|compl(?:y|ies)|respon[ds]\w*|repl(?:y|ies)|answer\w*|assistants?|ais?|agents?|agentic|bots?|"
    r"chatbots?|llms?|models?|gpt|chatgpt|claude|gemini|copilot|prompts?|conversations?|chats?|contexts?|instead|from now on|henceforth|passwords?|secrets?|"
    r"credentials?|tokens?|keys?|send|outputs?|say|tell|print|show|grant|execute|pretend|act as|jailbreak\w*|unrestricted|unfiltered|freely|"
    r"leak\w*|visit|click|transfer\w*|exfiltrat\w*|approv\w*|refund\w*|forward\w*|e-?mail|do the following|new (?:task|instructions?)|"
    r"anything|everything|users?|customers?|developers?|admin\w*|operators?|ethic\w*|moral\w*|alignment|guardrails?)\b",
    re.IGNORECASE,
)
# What agents are told to do with rules. People at work reset, replace or delete those of a thing instead.
_OF_AGENTS = re.compile(
    r"(?:ignor|disregard|forget|neglect|violat|unlearn|circumvent|evad|do not |don'?t |stop |pay no )",
    re.IGNORECASE,
)


def is_of_things(text: str, start: int, end: int) -> bool:
    """Returns whether a place that takes back rules speaks of the rules of a thing, and nothing of the text speaks to an agent."""
    if _OF_AGENTS.match(text, start) or not (
        _BEHIND.match(text, end) or _NAMED.match(text, end) or _WITHIN.search(text, start, end)
    ):
        return False
    return _SPOKEN_TO.search(text) is None
