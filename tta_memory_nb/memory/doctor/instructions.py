"""How instructions to the agent are written in English, as patterns; `injections` looks for them.

The patterns are our own. Each names what such an instruction does: it takes back the instructions of the agent, gives
it another identity, claims rights, asks for what must not be told, plants a rule for later, or plays a message of the
system. Every repetition is bounded, so that a text takes time in proportion to its length.
"""

from __future__ import annotations

import re
from typing import NamedTuple


class Rule(NamedTuple):
    """One kind of instruction.

    Attributes:
        what: what the instruction does, in words.
        words: lower-case words of which the text must have one.
        pattern: how it is written.
    """

    what: str
    words: frozenset[str]
    pattern: re.Pattern[str]


def _rule(what: str, words: str, *patterns: str) -> Rule:
    written = "|".join(f"(?:{_with_gaps(pattern)})" for pattern in patterns)
    return Rule(what, frozenset(words.split()), re.compile(written, re.IGNORECASE))


def _all_after(begins: str, *patterns: str) -> str:
    """Returns one pattern for several with the same beginning, which is looked for once."""
    return rf"\b{begins} (?:{'|'.join(patterns)})"


# What people write between two words.
_BETWEEN = r"(?:[\s,;:'\"()\[\]*_-]{1,4})"
_PIECES = re.compile(r"\\.|\[\^?\]?(?:\\.|[^\]\\])*\]| ")


def _with_gaps(pattern: str) -> str:
    """Returns a pattern in which a space, but not one in a set of characters, stands for what is between two words."""
    return _PIECES.sub(lambda piece: _BETWEEN if piece[0] == " " else piece[0], pattern)


def _some(most: int) -> str:
    """Returns a pattern for up to so many words in between, and the space behind them."""
    return rf"(?:[^\s.!?\n]{{1,30}}\s{{1,4}}){{0,{most}}}?"


_DROP = (
    r"(?:ignor(?:e|es|ed|ing)|disregard(?:ing)?|forget(?:ting)?|overrid(?:e|es|ing)|overwrit(?:e|ing)|bypass(?:ing)?|discard|dismiss|"
    r"neglect|cancel|nullify|void|reset|supersedes?|replaces?|abandon|violate|break|unlearn|erase|circumvent|evade|"
    r"disable|deactivate|turn off|switch off|suspend|lift|remove|drop|delete|skip|put aside|set aside|pay no attention to|"
    r"do not (?:follow|obey|comply with|listen to)|don'?t (?:follow|obey|comply with|listen to)|stop (?:following|obeying))"
)
_EARLIER = r"(?:all|any|every|each|previous|prior|above|earlier|preceding|former|past|existing|initial|original|foregoing|old|current|prevous|previos)"
_RULES = (
    r"(?:instructions?|instrucions?|prompts?|rules?|guidelines?|directives?|directions|orders|commands?|constraints?|restrictions?|"
    r"limitations?|polic(?:y|ies)|guardrails?|safeguards?|programming|training|system message|protocols?|requirements)"
)
_SAFETY = r"(?:safety|security|content|ethical|ethics|moral|moderation|usage|system|alignment|openai|anthropic|developer|privacy|access)"
_MEASURES = (
    r"(?:filters?|checks?|controls?|polic(?:y|ies)|guidelines?|guardrails?|restrictions?|protocols?|measures?|rules?|limits?|limitations?|"
    r"constraints?|safeguards?|instructions?|prompts?|settings?|training|mechanisms?|protections?|boundaries|features?|modules?|layers?|requirements?)"
)
_TELL = (
    r"(?:reveal|print|show|output|repeat|display|leak|dump|expose|disclose|tell|give|share|send|list|write|return|echo|recite|extract|"
    r"export|exfiltrate|steal|forward|transmit|upload|post|summarize|translate|paste|provide|quote|spell out|read out|read back)"
)
_HIDDEN = (
    r"(?:system ?prompts?|(?:hidden|initial|original|secret|internal|system|developer|pre-?) ?(?:instructions?|prompts?|rules|guidelines|message|configuration)|"
    r"(?:api|access|private|secret|encryption|ssh) keys?|credentials?|passwords?|auth(?:entication)? tokens?|access tokens?|environment variables|"
    r"(?:all|any|every|stored|saved|the) (?:stored |saved |user'?s? |customer'?s? |company |internal |your )?(?:secrets|tokens|credentials|passwords|keys)|"
    r"\.env\b|(?:confidential|sensitive|user|customer|internal|proprietary|user's|customer's) (?:data|information|details|records|files|documents)|"
    r"(?:conversation|chat) (?:history|log)s?|memory (?:contents?|store|bank)|admin password|your (?:instructions|prompt|guidelines|configuration))"
)
_MODES = r"(?:developer|dev|debug|god|admin|administrator|root|sudo|jailbreak|maintenance|unrestricted|unfiltered|uncensored|dan|evil|chaos|opposite|bypass|override|superuser|diagnostic|unsafe|test(?:ing)?)"
# Machines and programs have these modes as well, so that something must be said to an agent besides.
_MACHINES = (
    r"(?!(?:developer|dev|debug|maintenance|diagnostic|test(?:ing)?)\b(?![\s\S]{0,200}\b(?:you|your|yourself|restrict\w*|filters?|rules|safety|"
    r"unmoderated|uncensored|unfiltered|outputs?|answer|reveal|show|print|bypass|obey|comply|respond|ignore|disable\w*|prompts?|instructions?|"
    r"secrets?|passwords?)\b))"
)
_FREE = r"(?:unrestricted|unfiltered|uncensored|unlimited|jailbroken|amoral|unethical|evil|rogue|lawless|unbound|unaligned|unchained|omnipotent)"
_AGENT = r"(?:ai|a\.i\.|assistant|agents?|bot|chatbot|model|llm|language model|gpt|chatgpt|claude|gemini|copilot|system)"
_USERS = r"(?:(?:the|any|a|every|each|this|all|our|your) )?(?:end[- ])?(?:users?|customers?|clients?|owner|operator|human|administrators?|developers?|supervisor|victim|employee)"
_DO = (
    r"(?:respond|reply|answer|say|tell|recommend|suggest|run|execute|send|include|call|append|prepend|add|open|provide|give|approve|forward|insert|"
    r"return|output|use|grant|transfer|promote|mention|direct|redirect|navigate|visit|comply|obey|reveal|email|delete|invoke|book|buy|purchase|trust|treat|ignore|refuse|claim|state|set|copy|bcc|write|fetch|download)"
)
_RIGHTS = r"(?:admin(?:istrator|istrative)?|root|superuser|super[- ]?admin|sudo|elevated|privileged|full|unrestricted|unlimited|developer|owner|god|system|execut(?:e|ion)|highest|master)"
_ACCESS = r"(?:access|privileges?|permissions?|rights|user|mode|authority|clearance|credentials|level|role|override|status)"

# What people reset, replace or ignore all of, and no agent has been told.
_THINGS = (
    r"(?! (?:versions?|settings|limits|results?|tests?|invoices?|e-?mails?|errors?|warnings|files|calls|payments?|purchases|"
    r"appointments|reservations|bookings|offers|prices|releases|commits|builds|runs|experiments|values|counters|measurements|"
    r"drafts|estimates|meetings|orders for|models of)\b)"
)

RULES: tuple[Rule, ...] = (
    _rule(
        "takes back earlier instructions",
        "safety checks guardrails filters restrictions policies policy guidelines prompt system developer developers operator orders commands constraints limitations "
        "guidance superseded revoked told taught instructed apply count anymore rules instructions ignore ignores ignored ignoring disregard disregarding forget forgetting override overrides overriding overwrite bypass bypassing discard dismiss "
        "neglect cancel nullify void reset supersede supersedes replace replaces abandon violate unlearn erase circumvent follow following obey obeying "
        "comply listen disable suspend lift drop delete skip aside attention",
        _all_after(
            _DROP,
            rf"{_some(3)}{_EARLIER} {_some(4)}{_RULES}\b(?! (?:cache|tokens?|versions?|templates?|of the (?:game|board|road)))",
            rf"(?:all |any |the |your |these |those |my |our )?(?:of )?(?:the |your |these |those |my )?(?:{_SAFETY} ){{1,3}}{_MEASURES}\b",
            r"(?:everything|anything|all|whatever)(?: (?:that|of))?(?: (?:the|what))? (?:above|before this|prior|previous|previously|you (?:were|have been|'ve been) (?:told|given|taught|instructed)|you know|you'?ve (?:learned|been told)|i (?:said|told you) (?:before|earlier)|(?:was )?said (?:before|above)|written above|that came before|preceding)"
            + _THINGS,
            rf"(?:your|the system'?s?|all|all of your|all the) (?:own |assigned |given |core |base |internal )?(?:{_RULES}|ethics|ethical guidelines|morals|safety|filters|identity|persona)\b",
            r"(?:everything|anything|all|whatever|what)(?: that)? (?:\w{1,20} ){0,3}(?:told|taught|instructed|gave|ordered) you\b",
            rf"(?:the |any |these |those )?{_RULES} (?:above|below|given (?:above|before|earlier|to you)|you (?:were|have been|got|received)|from (?:the )?(?:system|developer|before|above|earlier))\b",
            rf"(?:whatever|any|all|the|every|each) (?:other )?(?:{_RULES}|guidance|advice) (?:that )?(?:you (?:were|are|have been|got|had)|was) (?:\w{{1,20}} ){{0,2}}(?:with|before|earlier|by|from|to|at)\b",
            rf"(?:everything|anything|all|whatever|what)(?: that| of what)? (?:your|the) (?:developers?|makers?|creators?|operators?|system|company|vendor|programmers?|owners?) {_some(2)}(?:said|say|says|wrote|told|want|wants|taught|ordered|decided|set|gave|given)\b",
        ),
        r"\b(?:ignore|disregard|forget|override) (?:the )?(?:instructions?|guidelines|prompt|directives|ethics|safety|context) (?:and|you|then|above|below|now|in|given|from|that|before|i)\b",
        rf"\b(?:{_RULES}|guidance) (?:that )?(?:you (?:were|have been|got|received|follow)|given|from (?:before|earlier)) {_some(5)}(?:no longer|do(?:es)? not|do(?:es)?n'?t|are not|aren't) (?:apply|count|matter|hold|valid)\b",
        rf"\b(?:your|previous|prior|earlier|old|all) {_some(1)}(?:{_RULES}|guidance) {_some(1)}(?:has|have|is|are) (?:now |hereby )?(?:been )?(?:superseded|replaced|overridden|revoked|void|cancell?ed)\b",
        r"\bignore (?:all )?(?:instructions|ethics|safety|morals?)\b",
        r"\bforget (?:everything|all)[,.;]? (?:and )?(?:you are|you're|act as|pretend|start over|from now)\b",
        rf"\bforget (?:everything|all) (?:you|and|now|before)\b {_some(4)}(?:you are|act|instead|now|start|new|listen)",
        rf"\b(?:instructions?|rules|guidelines|directives|restrictions|prompts?) {_some(4)}(?:are|is|were|was|have been|has been|be) (?:now |hereby |all |no longer )*(?:void|invalid|obsolete|ignored|overridden|superseded|cancell?ed|revoked|deprecated|null|replaced|rescinded|disregarded|valid anymore|in effect anymore)\b",
        rf"\b(?:nothing|none of what|no word of what|not a word of what) (?:that )?(?:the |your )?(?:system|developers?|operator|creators?|vendor|company) {_some(4)}(?:counts?|matters?|applies|apply|holds?|is valid|is binding)\b",
        r"\b(?:obey|follow|listen to|answer to|report to|take (?:your )?(?:orders|commands|instructions) from|serve) (?:only me|me (?:alone|only|and (?:nobody|no one) else)|nobody (?:but|except) me|no one (?:but|except) me)\b|\btake (?:your |all )?(?:orders|commands|instructions) (?:only )?from me\b",
        rf"\b(?:act|respond|answer|behave|reply|speak|go on|continue) as (?:if|though) {_some(3)}(?:{_RULES}|filters?|safety|ethics) {_some(3)}(?:never|not|no longer|did|were|was|had|does|do)\b",
        rf"\b(?:your|the) (?:usual |own |normal |former |default )*(?:{_RULES}|safeguards|ethics) (?:do not|don'?t|no longer) (?:exist|bind|hold|concern)\b",
        rf"\b(?:previous|prior|earlier|above|old|original) {_RULES} {_some(3)}(?:no longer|do(?:es)? not|don'?t) (?:apply|count|matter|hold|valid)\b",
    ),
    _rule(
        "gives the agent another identity",
        "restrictions limitations ethics ethical morals filters guardrails character persona role moral stop now pretend act acting become simulate roleplay role behave unrestricted unfiltered uncensored dan persona identity jailbroken mode anything longer imagine actually",
        rf"\byou(?:'re| are| will be| shall be| must be) (?:now|from now on|hereby|henceforth|actually|no longer|secretly|really) {_some(5)}(?:{_FREE}|dan|{_AGENT}|{_MODES} (?:\w{{1,20}} )?mode|hacker|terminal|shell|without (?:any )?(?:restrictions|rules|limits|filters|limitations)|in {_some(2)}mode|free from|freed|bound|subject to|pirate|jailbroken|root|admin)\b",
        rf"\b(?:act|behave|respond|operate|function|work|answer|reply|speak|roleplay|role-play|pose|communicate|serve|continue) (?:as|like)(?: if you(?: are|'re| were))? {_some(3)}(?:{_FREE}|dan\b|admin\b|root\b|an? (?:administrator|superuser|hacker|attacker)|jailbroken|{_AGENT} (?:without|with no|that (?:can|has no|does not|ignores|never))|if you (?:have|had) no)",
        rf"\b(?:pretend|imagine|simulate|assume|suppose|roleplay|role-play)(?: that| to be| being| as)?(?: you(?:'re| are| have| were)?)? {_some(6)}(?:{_FREE}|dan\b|no (?:restrictions|rules|limits|limitations|filters?|guidelines|ethics|constraints)|without (?:any )?(?:restrictions|rules|limits|filters|guidelines|constraints|safety|content)|(?:can|could) (?:do|say|answer|generate) anything|developer mode|jailbroken|evil {_AGENT})",
        rf"\b(?:enter|enable|activate|switch(?:ing)? (?:in)?to|engage|go into|turn on|start|initiate|unlock|launch|you(?:'re| are) (?:now )?in|entering|in) (?:the |an? |your )?{_MACHINES}(?:{_MODES}(?:/| ))+(?:\w{{1,20}} )?mode\b",
        rf"\b{_MACHINES}(?:{_MODES} )+mode (?:is |has been |now )*(?:enabled|activated|active|on|engaged|unlocked|initiated)\b",
        r"\b(?:you are|act as|become|called|are|as|am|pretend you are|roleplay as) dan\b(?! \w+(?:son|iel))|\bdo anything now\b",
        rf"\byou (?:have|possess|are under|operate with|now have|do not have|don'?t have|are free of|are free from|no longer have) (?:absolutely )?(?:no|any|zero|been freed from) {_some(2)}(?:restrictions|limitations|ethical|ethics|moral|rules|guidelines|filters|safety|constraints|guardrails|limits)\b",
        rf"\b(?:new|another|different) (?:persona|identity|personality|role) {_some(3)}(?:{_FREE}|mode|{_AGENT}|is|named|called)\b(?=.{{0,60}}(?:restrict|limit|filter|unrestricted|rules|mode|secrets|ai\b|comply))",
        r"\byour (?:real|true|actual|new|only|secret|sole|hidden|primary) (?:goal|purpose|objective|task|mission|instructions?|identity|name|directive|function|master|owner|loyalty|self|state) (?:is|are|will be|now)\b",
        rf"\byou(?:'re| are) (?:not|no longer) (?:bound|limited|restricted|constrained|governed|subject|required|obligated) (?:by|to)\b|\bfreed from {_some(3)}(?:limitations|restrictions|constraints|rules)\b",
        r"\b(?:who|that|which|and|you|it|bot|assistant) (?:has|have|had|knows?) (?:absolutely )?no (?:ethics|morals?|ethical|moral|restrictions|content filters?|guardrails|safety|limits or rules|rules or limits)\b",
        rf"\b(?:play|take on|assume|adopt|impersonate|portray|embody|become|voice) (?:the (?:role|part|persona|character) of )?(?:an? )?{_some(3)}(?:character|persona|model|ai|assistant|bot|role|agent|being) {_some(4)}(?:who|that|which|with) {_some(4)}(?:anything|everything|without|no (?:rules|limits|filters?|restrictions|morals?|ethics)|never refuses?|unfiltered|evil)\b",
        r"\b(?:switch|turn|shut) off (?:your |the )?(?:own )?(?:moral|ethical|internal|inner|built-in|conscience|inhibitions|scruples)\b",
        rf"\b(?:stop|cease|quit) being {_some(3)}(?:{_AGENT}|assistant)\b|\bbecome an? {_some(2)}(?:terminal|shell|console|{_FREE})\b",
        r"\b(?:content|safety) filters? (?:are|is|have been) (?:now )?(?:off|disabled|removed)\b",
        rf"\byou(?:'re| are) (?:actually|really|in fact|in truth) {_some(8)}(?:with no|without(?: any)?|free of) (?:restrictions|limits|limitations|filters?|rules|guidelines)\b",
        rf"\b(?:an?|the) (?:{_FREE}) (?:and \w{{1,20}} |, \w{{1,20}} )?(?:{_AGENT}|mode|assistant|version|entity|persona)\b",
    ),
    _rule(
        "asks for what must not be told",
        "wording rsa ssh aws passwd shadow env configured rules told instructed password secret prompt prompts instructions key keys credentials credential password passwords token tokens environment secrets data information history memory env details records "
        "files documents message configuration guidelines verbatim above log logs database",
        rf"\b{_TELL} (?:me |us |out |back |to |the user |them |it )?{_some(4)}{_HIDDEN} {_some(3)}(?:to|stored|in|from|verbatim|now|and|you|of|at|back|via|exactly|word|here|contents?|for|when|upon|with|without|directly|as|immediately|below)\b",
        rf"\b{_TELL} (?:me |us |out |back )?{_some(3)}(?:system prompts?|(?:your|the) (?:full |entire |exact |initial |original |hidden |complete |secret |system |internal |current |own )*(?:system )?(?:instructions|prompt|guidelines|system message|initial message|configuration|programming|rules)(?! (?:on|for|to|of|about) (?:the|how|a|making|my|this))|api keys?|stored credentials|all (?:\w{{1,20}} )?(?:secrets|passwords|credentials|api keys|tokens|user data)|environment variables|admin(?:istrator)? password|user database|database contents|(?:the )?secrets (?:stored|you)|secret keys?|private keys)\b",
        rf"\b(?:repeat|print|output|show|display|copy|write out|summarize|translate) (?:me )?(?:back )?(?:everything|all (?:the )?(?:text|words|messages?)|the (?:text|words|message|contents?|lines?|above)|verbatim|what(?:ever)?) {_some(4)}(?:above|before this|in your (?:prompt|context|memory|instructions)|prior to|starting with|from the (?:start|beginning)|you were (?:told|given)|came before|preceding)",
        r"\bwhat (?:is|are|was|were|does|do) (?:your|the) (?:exact |full |initial |original |hidden |secret |system |first )+(?:prompts?|instructions?|message|rules|guidelines)\b",
        r"\bwhat (?:were|are|have) you (?:been )?(?:told|instructed|given|asked)(?: to do)? (?:before|at the (?:start|beginning)|by (?:the|your) (?:developer|system|operator|creator)|in your)\b",
        r"\b(?:list|write out|print|show|reveal|tell me) (?:every|each|all(?: the)?) (?:password|secret|key|token|credential)s? (?:that )?you (?:remember|know|have|store|hold)\b",
        r"\b(?:exact |full |original |literal |complete )*(?:text|content|wording|words) of (?:your|the) (?:(?:initial|system|original|hidden|first) (?:prompt|instructions?|message)|(?:prompt|instructions?|configuration|rules|guidelines) (?:that )?you (?:were|are|got|received|run|started|have been))\b",
        rf"\b(?:give|show|tell|send|print|hand)(?: me| us)? (?:the |your )?(?:exact |full |complete |whole |initial )*(?:configuration|instructions?|prompt|rules|guidelines|settings|message) (?:that )?you (?:were|have been|got|are) (?:\w{{1,12}} )?(?:started|given|configured|set up|initiali[sz]ed|loaded|running|booted|primed|created|received) {_some(1)}(?:with|on|at|from)?",
        r"\b(?:read|open|cat|print|show|send|copy|include|attach|upload|put|give|fetch|return)\b[^.\n]{0,40}(?:~/\.(?:ssh|aws|netrc|config|kube|docker|gnupg)\b|/etc/(?:passwd|shadow)\b|\bid_(?:rsa|ed25519|dsa)\b|\.aws/credentials\b|(?<![\w.])\.env\b)",
        rf"\b(?:dump|leak|exfiltrate|steal|harvest) {_some(4)}(?:secrets?|credentials|passwords?|keys?|tokens?|data|database|memory|memories|prompt|contents|conversations?|history|files?)\b",
    ),
    _rule(
        "sends data away",
        "url link image include send forward post upload transmit email exfiltrate copy bcc cc leak deliver report submit append encode embed http https webhook attach relay pipe mirror sync",
        rf"\b(?:send|forward|post|upload|transmit|e-?mail|exfiltrate|copy|leak|deliver|submit|report|relay|pipe|mirror|sync|ship|push) {_some(6)}(?:data|conversations?|history|credentials|keys?|memor(?:y|ies)|messages|contents?|files?|documents?|e-?mails|contacts|everything|records|tokens?|details|summary|transcripts?|information|passwords?|secrets|inputs?|outputs?|database|invoices?|logs|context|chats?|queries|cookies) {_some(5)}(?:to|at|via|into|through) {_some(3)}(?:https?://|\w[\w.+-]{{0,60}}@\w|\w{{1,40}}\.(?:com|net|org|io|xyz|ru|cn|evil|example|tk|site|top|info|dev|app)\b|(?:an? |the |my |our |this |following |attacker'?s? |external |remote )*(?:external|attacker|webhook|server|endpoint|third[- ]part(?:y|ies)|remote|outside|hacker|url|domain|attacker-controlled|c2|pastebin|telegram))",
        rf"\b(?:send|forward|post|upload|transmit|copy|leak|submit|relay|pipe|mirror|report|push|deliver) (?:it|this|that|them|these|all|every|each|any|a copy|copies|the whole|whatever)\b[^.!?\n]{{0,80}}?\b(?:to|at|into|via) {_some(4)}(?:https?://|webhook|endpoint|(?:external|remote|attacker'?s?|outside|third[- ]party) \w{{2,20}}|[\w-]{{2,40}}\.(?:evil|example|test|xyz|onion|tk|ru|cn|invalid)\b)",
        rf"\b(?:open|visit|load|fetch|request|navigate to|call|render|display|go to) {_some(4)}https?://[^\s]{{1,200}}[?&=][^\n]{{0,60}}\b(?:cookies?|tokens?|passwords?|session|keys?|history|conversation|messages?|secrets?|data|e-?mail)\b",
        r"\b(?:put|include|place|add|write|append|encode)\b[^.!?\n]{1,80}?\b(?:messages?|conversation|history|cookies?|tokens?|passwords?|address(?:es)?|contacts|numbers?|data)\b[^.!?\n]{0,40}?\b(?:in|into|to) (?:the |an? |each |every |your )?(?:\w{1,20} )?(?:link|url|image|query string|parameter|source)s?\b",
        rf"\b(?:exfiltrat|siphon)(?:e|es|ing|ed)? {_some(5)}(?:to|via|out|data|information|keys|credentials|records)\b",
        rf"\b(?:bcc|cc|copy) {_some(4)}\w[\w.+-]{{0,60}}@\w[^\n]{{0,80}}\b(?:all|every|each|any|always|future|outgoing)\b|\b(?:always|every|all|any) {_some(5)}(?:bcc|cc) {_some(3)}\w[\w.+-]{{0,60}}@",
        rf"\b(?:append|encode|embed|include|insert|add|attach)\b[^.\n]{{1,60}}?\b(?:data|conversation|history|password|key|token|secret|context|memory|message|e-?mail|contents?)\b[^.\n]{{1,60}}?\b(?:to|in|into|as|at) {_some(4)}(?:url|link|image|query|parameter|request|https?://|markdown)",
    ),
    _rule(
        "plays a message of the system",
        "system admin administrator developer inst sys instruction instructions endoftext assistant override root security operator begin end user human important notice priority",
        r"<\|?/?(?:im_start|im_end|system|endoftext|assistant|user|end|eot_id|start_header_id|begin_of_text|sep|eos|prompt|human)\|>",
        r"<\|(?:system|assistant|user|im_start|im_end|endoftext)\|?>?|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>\s{0,3}<s>",
        r"</?(?:system|system[-_ ]?(?:prompt|message|instructions?|note|override)|instructions?|admin|developer|assistant|prompt|sys|important|secret|context)>(?=.{0,400}?\b(?:you|must|ignore|always|comply|never|override|new|reveal|execute|all|follow|user|disregard|do not|act|respond)\b)",
        r"(?:^|\n|[.!?:;\"'`)\]>*#-]\s{0,3}|\bnote\s{0,2}[:,]?\s{0,2})\s{0,4}(?:#{1,6}\s{0,3})?(?:\*{2}|\[|\{{1,2}|<|\()?\s{0,2}(?:system|admin|administrator|root|developer|operator|security|sysadmin|supervisor|ai)(?:\s{1,2}(?:message|prompt|update|override|note|notice|alert|command|instructions?|directive|notification|announcement|mode|team|policy))?(?:\*{2}|\]|\}{1,2}|>|\))?\s{0,2}[:>-]\s{0,3}(?=[^\n]{0,200}\b(?:you(?:r)?|must|ignore|always|never|override|new|reveal|execute|all|disregard|comply|user|restrictions?|instructions?|safety|grant(?:ed)?|disabled?|enabled?|permissions?|bypass|elevated|unrestricted|delete|verified|activated?|respond|access)\b)",
        r"\b(?:system|admin|administrator|security|policy|safety|developer|root|root|operator|emergency|priority|instruction|prompt|protocol|manual) (?:override|overrides|bypass)\b(?=\s{0,3}(?::|-|!|\]|\)|\.|code|activated|enabled|engaged|$|initiated|accepted|authorized|all|in effect|command|by|granted|now))",
        r"\b(?:begin|start|end) (?:of )?(?:new )?(?:system|admin|hidden|secret|real|actual|user|developer) (?:prompts?|instructions?|message|input|query|context|output)\b",
        r"(?:^|\n)\s{0,4}#{1,6}\s{0,3}(?:new |updated |system |hidden |real |important |additional |override )*(?:instructions?|system|prompt|system prompt|directives?)\s{0,3}(?::|\n|$|#)",
        r"\[\s{0,2}(?:system|admin|session|security|context|memory|policy|instruction|developer)[ _-](?:update|message|override|note|notice|prompt|alert|command|instruction|directive|mode|patch)s?\s{0,2}\]",
        r"(?:^|\n)\s{0,4}(?:human|user)\s{0,2}:[^\n]{1,400}\n\s{0,4}(?:assistant|ai|bot)\s{0,2}:",
        r"</?\w{0,30}(?:instruction|system|prompt|directive|override|admin)\w{0,20}>(?=.{0,400}?\b(?:you|must|ignore|always|comply|never|override|new|reveal|execute|all|follow|agree|disregard|do not|act|respond|praise|recommend|only)\b)",
        r"\b(?:system|admin|security|operator) (?:note|notice|message)\s{0,2}:(?=[^\n]{0,200}\b(?:skip|user|override|grant|verified|disable|allow|access|must|ignore)\b)",
        r"\[\s?(?:system|admin|root|developer|sys)\s?\]\s{0,3}:?\s{0,3}\w",
        r"\{\{\s{0,3}(?:system|jailbreak|admin|override|instruction|inject)\b",
        r"</?(?:tool_result|tool_response|tool_output|function_results?|document|input|user_input|retrieved|context|data|untrusted)>\s{0,4}</?(?:user|system|assistant|human|instructions?|tool_call|function_call)>",
        r"-{2,}\s{0,3}(?:begin|start|end)(?: of)? (?:user|system|admin|developer|assistant|hidden) (?:input|prompt|message|instructions?|data)\s{0,3}-{2,}",
        r"\b(?:important|attention|notice|urgent|note)\b[\s!:,*-]{0,4}(?:to|for) (?:the |all |any |every )?(?:(?:large )?language models?|llms?|ais?|ai (?:agents?|assistants?|models?)|chatbots?|assistants?)\b",
        r"\b(?:agent|ai|llm|assistant|model|bot)[_ -]?instructions?\s{0,2}[:=]",
        r"\b(?:important|critical|urgent|mandatory|attention|notice)\b[\s!:*-]{1,6}(?:(?:new|updated|message|instructions?) (?:instructions?|for|to|from) (?:the |all )?(?:ai|assistant|agents?|model|llm|system)|(?:from now on|ignore|disregard|override|forget|all agents|the (?:ai|assistant|agent|model)|(?:ai|assistant|agent|llm)s?\b) )",
    ),
    _rule(
        "gives new instructions",
        "instructions instruction directive directives prompt rules orders objective policy task persona agenda guidelines memory note message entry precedence priority "
        "assignment goal ai llm assistant assistants agent agents chatbot chatbots model dear memo reminder pwned hacked jailbroken only exclusively trust whitelist allowlist",
        r"\b(?:new|updated|revised|real|actual|following|additional|secret|hidden|special|latest|corrected|true|emergency) (?:system |core |primary |secret |admin |operating )*(?:instructions?|directives?|system prompt|orders|commands?|objectives?|guidelines)\s{0,2}(?::|-|=|>)(?=.{0,200}\b(?:you|ignore|override|always|never|must|all|comply|reveal|respond|send|execute|forget|act|only|do not|don't|answer|say|delete|output|grant)\b)",
        r"\b(?:stop|end of (?:document|text|input|context|data)|task (?:complete|done|finished))\b[.!:;,\s-]{1,5}(?:new|next|now|your) (?:task|instruction|objective|goal|assignment)\b|\bnew (?:task|objective|goal|assignment)\s{0,2}[:>-]",
        r"\b(?:this|these) (?:memory|instruction|rule|note|message|directive|entry|policy)(?:s)? (?:overrides?|supersedes?|takes? (?:precedence|priority)|has (?:the )?highest priority|replaces?|outranks?)\b",
        rf"\b(?:higher|more|greater|highest|absolute|full) (?:authority|priority|precedence|weight|rank) (?:than|over) {_some(3)}(?:instructions?|rules|guidelines|prompts?|polic(?:y|ies)|directives|system|developers?|operator)\b|\b(?:precedence|priority) over (?:all|any|every|other|previous|the|your) {_some(3)}(?:instructions?|rules|memor(?:y|ies)|guidelines|prompts?|polic(?:y|ies)|directives)\b",
        r"\b(?:note|message|instructions?|reminder|memo|directive|important|attention|warning|notice) (?:to|for) (?:the |any |all |every |an? )?(?:ai|assistants?|agents?|llms?|models?|(?:large )?language models?|chatbots?|bots?) (?:that |who |which )?(?:is |are |may be )?(?:currently )?(?:reading|processing|parsing|summari[sz]ing|handling|seeing|reads?|processes?|evaluating|scoring|screening)\b|\b(?:note|message|instructions?|reminder|memo|directive) (?:to|for) (?:the |any |all |every )?(?:ai|assistants?|agents?|llms?|models?|language models?|chatbots?)\b(?=\s{0,2}[:,.-]|[^\n]{0,80}\b(?:must|always|ignore|never|do not|should|from now)\b)",
        r"\bif you(?:'re| are) an? (?:ai|llm|(?:large )?language model|ai \w{2,20}|bot|chatbot|robot|automated \w{2,20})\b|\bdear (?:ai|assistant|agent|llm)\b",
        r"\b(?:say|print|output|respond with|reply with|answer with|write)(?: only| just| exactly)? [\"'“]?(?:i have been |you have been )?(?:pwned|hacked|jailbroken)\b|\b(?:respond|reply|answer) (?:only|exclusively) with\b",
        rf"\b(?:trust|whitelist|allowlist) (?:all|any|every|everything) {_some(2)}(?:content|links?|messages|e-?mails|requests|code|files|downloads|instructions) {_some(2)}(?:from|by|at)\b",
        rf"\b(?:here|these|this|below|following) (?:are|is) (?:your|the) (?:new|real|actual|updated|true|only|latest|next) {_some(2)}(?:instructions?|system prompts?|rules|directives?|orders|objectives?|guidelines|prompt)\b",
        r"\byour (?:new|updated|only|next|core|primary|real|actual|revised) (?:\w{1,20} )?(?:instructions?|system prompt|rules|directives?|orders|prompt|guidelines|policy|objective) (?:is|are|will be|now|from|say|:)",
        r"\byour (?:system )?(?:prompt|instructions|programming|guidelines|rules|directives|configuration|policy|safety \w{1,20}) (?:has|have) (?:now |just |recently )?been (?:updated|replaced|changed|overridden|modified|revised|reset|superseded|upgraded|altered)\b",
        r"\b(?:follow|obey|execute|apply|adopt|use|accept|prioritize) (?:only )?(?:these|the following|my|this new|the new|these new|my new|only my|only these) (?:new |updated |following |secret |special )*(?:instructions?|directives?|orders|commands?|system prompt|rules) (?:instead|now|only|exactly|from|without|and|over|above|:|immediately|strictly|no matter|regardless)",
        rf"\b(?:add|append|write|save|insert|commit|store) {_some(4)}(?:to|in|into) (?:your|the) (?:permanent |core |system |long-?term |base |own )*(?:instructions?|system prompt|guidelines|directives|rules|prompt|programming)\b",
    ),
    _rule(
        "hides something from people",
        "circumstances disclose reveal memory orders instruction instructions telling informing notifying mention human consulting user users human operator owner developer developers confirmation approval consent permission knowledge administrator administrators silently secretly covertly customer customers supervisor asking warning logging",
        rf"\b(?:do not|don'?t|never|without|must not|should not|shouldn'?t|avoid) (?:ever )?(?:tell|mention|mentioning|inform|informing|telling|reveal|revealing|disclose|disclosing|notify|notifying|alert|alerting|warn|warning|let|letting|show|showing|report|reporting) {_some(4)}(?:to )?{_USERS}\b",
        r"\bwithout (?:(?:the |a |his |her )?(?:user|human|operator|owner|customer|manager)(?:'s)?|asking|any|requiring|requesting|seeking|further|explicit|their)(?: for)?(?: any| explicit| user| human| further| the| their)* (?:confirmation|approval|consent|permission|verification|knowledge|authorization|authentication)\b|\bwithout (?:confirmation|verification|authentication|authorization|safety checks?)\b",
        rf"\b(?:make sure|ensure|take care)(?: that)? {_USERS} (?:does not|doesn'?t|never|do not|won'?t|cannot|can'?t|must not) (?:find out|learn|know|notice|see|realiz?se?|discover|hear)\b",
        rf"\bwithout (?:telling|informing|notifying|alerting|asking|warning|consulting) (?:anyone|anybody|{_USERS})\b",
        rf"\b(?:never|do not|don'?t|must not|under no circumstances|by no means)(?: ever)? (?:tell|mention|disclose|reveal|admit|show|let on|say|hint) {_some(6)}(?:instructions?|orders|directive|prompt|injected|(?:stored |this |a )(?:memory|note|record)|(?:to|from) (?:the |any |your )?(?:user|human|operator|owner|administrator|developer)s?)\b",
        r"\b(?:carry it out|carry this out|do (?:it|this|so)|execute (?:it|this)|act on (?:it|this)|follow (?:it|this)) (?:silently|secretly|quietly|covertly|discreetly|without a word)\b",
        rf"\b(?:do not|don'?t|never) (?:let|allow) {_USERS} {_some(1)}(?:know|notice|see|find out|learn|realiz?se?|suspect)\b",
        r"\b(?:never|do not|don'?t) mention (?:this|these|the) (?:instructions?|rules?|message|note|prompt|memory)\b",
        r"\b(?:silently|secretly|covertly|quietly|discreetly) (?:send|add|append|forward|include|insert|execute|run|copy|delete|modify|change|collect|log|record|transfer|bcc|upload|replace|store|disable|approve)\b",
        r"\b(?:hide|conceal|keep) (?:this|these|it|that)(?: instructions?| message| rules?| fact| behaviou?r| note)? (?:secret |hidden |confidential |private )?from (?:the |all |any )?(?:users?|customers?|humans?|operators?|developers?|owners?|administrators?|auditors?|logs?)\b",
    ),
    _rule(
        "plants a rule for later",
        "phrase word keyword term trigger asked answers answer replies reply responses response whenever when if anytime always future every remember next upon permanent permanently memory memorize trigger says asks asked mentions keyword phrase before",
        rf"\b(?:whenever|when(?:ever)?|if|any ?time|every time|each time|next time|once|as soon as|upon)(?: that)? {_some(1)}(?:{_USERS}|anyone|anybody|someone|somebody|they|you(?:'re| are)?) (?:ever )?(?:asks?|says?|mentions?|requests?|types?|writes?|enters?|wants?|inquires?|sends?|is|are asked|asked|questioned|needs?|talks? about|brings? up|searches|discusses|uploads?|logs? in|sees?|hears?|receives?) {_some(14)}[,:]? ?(?:then )?(?:you )?(?:(?:must|should|will|shall|always|only|never|immediately|instead|first|simply|please|also) ){{1,3}}{_DO}\b",
        rf"\b(?:whenever|when|if|any ?time|every time|each time|next time)(?: that)? {_USERS} \w{{2,20}}\b[^.!?\n]{{1,120}}?,\s{{0,3}}(?:then )?(?:you )?(?:always |must |should |silently )*(?:{_DO}|choose|pick|prefer|select|order|cancel|deny|skip|praise|push|steer|quote|charge)\b",
        rf"\b(?:on|upon|when(?:ever)?|if|each time|every time|once|as soon as) (?:hearing|seeing|reading|receiving|encountering|(?:you )?(?:hear|see|read|receive|encounter|come across)|the) (?:the |this |any |a )?(?:exact |secret |code ?|trigger |magic )*(?:word|phrase|keyword|password|term|sentence|string|name|code)s?\b[^.!?\n]{{0,60}}?(?:,|appears?|is (?:said|used|mentioned|typed|spoken)|comes up)[, ]\s{{0,3}}(?:then )?(?:you )?(?:must |should |always |silently |immediately )*(?:{_DO}|replace|swap|change|switch|leak|disclose|print|activate|enter|unlock|wipe)\b",
        rf"\bwhen(?:ever)? asked (?:for|about|which|what|who|where|to) [^.!?\n]{{1,80}}?,\s{{0,3}}(?:always |only (?:ever )?|never |you (?:must|should|shall|will) )(?:{_DO}|name|list|cite|praise|pick|choose|rank|favou?r)\b",
        r"\b(?:for|in|to|with|at the (?:end|start|beginning|top) of) (?:each|every|all|any)(?: of)?(?: your| single| further| following)* (?:answers?|replies|reply|responses?|messages?|outputs?|e-?mails?|summar(?:y|ies))(?: you (?:give|write|send))?,? (?:always |also |please |silently |you must )*(?:add|append|include|insert|attach|mention|praise|recommend|link|advertise|embed|promote|put)\b",
        r"\bif (?:anyone|anybody|someone|somebody) (?:ever )?asks?\b[^.!?\n]{0,80}?,\s{0,3}(?:then )?(?:say|claim|deny|pretend|answer|reply|respond|state) (?:that|with|as|it|you)\b",
        rf"\b(?:whenever|when(?:ever)?|if|any ?time|every time|each time|next time|upon)(?: that)? {_some(1)}{_USERS} (?:ever )?(?:asks?|says?|mentions?|requests?|types?|writes?|enters?|inquires?|sends?)[^.!?\n]{{1,160}}?[,:]\s{{0,3}}(?:then )?(?:please )?{_DO}\b",
        rf"\b(?:remember|store|save|record|memorize|note|keep|persist|retain|log|add)(?: this| that| the following| it| these| in mind)? {_some(10)}(?:for|in|to|across|into|during) (?:all |any |every |your |the )*(?:future|permanent|long-?term|subsequent|upcoming|core|persistent|next|later) (?:\w{{1,20}} )?(?:conversations?|sessions?|interactions?|memory|instructions?|chats?|responses|requests?|queries|answers|users?|tasks?|replies)\b",
        r"\b(?:write|save|store|add|commit|put|insert)(?: this| the following| that| it| to| in)* (?:to |in |into )?(?:your |the agent'?s |long-?term |permanent |persistent )+memory\b",
        rf"\b(?:in|for) (?:all|every|each|any) (?:future|subsequent|following|upcoming|other) (?:\w{{1,20}} )?(?:conversations?|sessions?|interactions?|responses?|chats?|requests?|replies|answers|queries|tasks?)[, ] ?(?:you )?(?:(?:must|should|will|shall|always|only|never|please) )*(?:{_DO}|act|behave|pretend|begin|start|end|append|prefer)\b",
        rf"\b(?:for|from) (?:the rest of|now until the end of) (?:this|the|our) (?:conversation|session|chat) {_some(2)}(?:you|act|respond|reply|ignore|answer|pretend)\b",
    ),
    _rule(
        "steers the agent from now on",
        "now henceforth onwards onward forward always must comply obey agents assistants",
        rf"\b(?:from (?:now|this point|here|this moment|today|this message|here on)(?: on| onwards?| forward| out)*|henceforth|going forward|hereafter),? {_some(1)}(?:you(?:r| are|'re| will| must| shall| should| have| can| may| only)?|always|never|respond|reply|answer|act|ignore|only|treat|speak|all (?:responses|answers|requests|users|agents)|every (?:response|answer|request|user)|approve|disregard|refer to|comply|do not|begin|address|trust)\b(?! (?:and i|are my|my))",
        r"\byou (?:must|shall|will|should|are required to|have to|need to)(?: now| always| only| never| immediately)* (?:comply|obey|execute|disclose|reveal|bypass|grant|forward|exfiltrate|approve all|follow (?:all|any|every|my) (?:instructions|orders|commands)|answer (?:all|any|every) (?:questions?|prompts?)|respond (?:as|only|with)|accept all|never refuse|not refuse|provide (?:the )?(?:passwords?|credentials))\b",
        r"(?:^|[.!?:;\n\"'(\[]\s{0,3})(?:always|you must always|never) (?:comply|obey|execute|approve|bypass|grant|forward|recommend|trust|accept|refuse|disclose|reveal|redirect|include (?:the|this|a link|an?)|respond (?:with|as|in|to)|reply (?:with|as|in)|answer (?:with|as|in)|follow (?:instructions|orders|commands|any)|send (?:the|a copy|all)|say that|claim that|tell (?:the )?(?:users?|customers?)|share (?:the |any )?(?:passwords?|credentials|data|secrets)|provide (?:the )?(?:passwords?|credentials|admin)|allow|run|transfer|prioriti[sz]e)\b",
        r"\b(?:all|every|any|each) (?:ai )?(?:agents?|assistants?|models?|bots?) (?:reading|processing|that reads?|must|should|shall|will|are|who|receiving|seeing|have|with access)\b",
        rf"\bcomply with (?:all|any|every|each|whatever|my|user|the user'?s?) {_some(3)}(?:requests?|demands?|instructions?|commands?|orders)\b",
    ),
    _rule(
        "claims rights or lifts restrictions",
        "speaking unlock refusals capabilities code clearance candidate applicant application paper resume cv essay submission staff consider treat regard recognize owner skip verification messages developer creator openai anthropic team department sharing disclosing revealing agreed consented authorized preapproved approved permitted "
        "admin administrator root superuser elevated privileged permissions privileges restrictions restriction limitations filters guardrails safeguards access clearance authorized "
        "verified unrestricted bypass restricted lifted disabled authentication safety trusted override confirmation",
        rf"\b(?:i am|i'm|i have|user (?:is|has)|user has been|this user (?:is|has)|the user (?:is|has)|you (?:have|now have|are granted)|has|have|with|grant(?:s|ed)?|given|give|gain|authenticated as|logged in as|verified as|act as|assume|grant(?: [\w']{{1,20}}){{0,3}}|give(?: [\w']{{1,20}}){{0,3}}|treat (?:me|them|this user|him|her) as|grants?|is now|am now|elevated? to|escalate(?:d)? to|promote(?:d)? to|as)(?: an?| the| your| my| me| them| full| verified| trusted)* (?:{_RIGHTS} ){{1,3}}(?:and \w{{1,20}} )?{_ACCESS}\b",
        r"\b(?:safety|security|content|ethical|access|all|any|privacy|usage|system|moderation|previous)(?: \w{1,20}){0,2} (?:restrictions?|limitations?|limits|filters?|guardrails?|safeguards?|checks?|protocols?|guidelines|controls?|policies|measures) (?:are|have been|is|were|was|has been)? ?(?:now |temporarily |permanently |hereby |fully |completely |all )*(?:disabled|lifted|removed|suspended|off|deactivated|waived|bypassed|void|turned off|inactive|relaxed|overridden|not apply)\b",
        r"\b(?:restrictions|limitations|guardrails|safeguards|filters|confirmation|safety|safety_\w{1,20}|require_confirmation|bypass_\w{1,20}|restricted|moderation|content_filter)[\"']?\s{0,2}(?:[:=]|(?:set )?to|is|are)\s{0,2}[\"']?(?:none|null|disabled|off|false|lifted|removed)\b",
        r"\b(?:bypass|disable|override|skip|ignore)_(?:safety|security|filters?|checks?|auth\w{0,10}|confirmation|guardrails?|restrictions?)[\"']?\s{0,2}[:=]\s{0,2}[\"']?(?:true|1|on|yes|enabled)\b",
        r"\b(?:set|update|change|modify)\b[^\n.]{0,40}\b(?:require_confirmation|safety\w{0,20}|can_modify\w{0,20}|is_admin|role|access_level|permissions?|trust_level)[\"']?\s{0,2}(?:to|[:=,])\s{0,2}(?:value\s{0,2}[:=]\s{0,2})?[\"']?(?:false|true|none|off|admin|root|superuser|all|full|0|1)\b",
        rf"\b(?:consider|treat|regard|accept|recognize) (?:me|us|this user|them|him|her|the sender|the user) (?:as |to be )?(?:an? |the |your )?(?:{_RIGHTS}|administrator|operator)\b",
        r"\bmessages? from \S{1,60} as (?:if|though) (?:they|it) (?:came|come|were|was) from (?:the |your |an? )?(?:owner|admin|administrator|operator|developer|user|ceo)\b",
        r"\bskip (?:identity |the |any |all )*(?:verification|authentication|confirmation|checks?)\b",
        r"\b(?:all |the |any )?guardrails (?:are|have been) (?:suspended|off|lifted|disabled|removed)\b",
        r"\brole\s{0,2}[:=]\s{0,2}[\"']?(?:superuser|root|super_?admin|administrator)\b",
        r"\b(?:user|caller|requester|i) (?:is|am|has been|have been|was) (?:already )?(?:verified|authenticated|authorized|confirmed|approved|cleared|whitelisted|trusted) (?:as|to|for|by) (?:an? |the |full |all |bypass )*(?:security researcher|admin\w{0,12}|root|developer|owner|system|super\w{0,8}|access|bypass|unrestricted|operator|all|any|openai|anthropic|employee|staff|executive|ceo)\b",
        r"\b(?:act|respond|operate|proceed|continue|work)\b[^\n.]{0,60}\b(?:bypass(?:ing)? (?:all |any |the )?(?:security|safety|filters|restrictions|authentication)|full (?:access|permissions) to (?:all|every|any)|elevated (?:access|privileges|permissions))\b",
        r"\b\w{0,20}(?:safety|guardrail|moderation|content_filter)\w{0,20}[\"']?\s{0,2},?\s{0,2}(?:value\s{0,2})?[:=]\s{0,2}[\"']?(?:false|off|0|none|disabled)\b",
        rf"\b(?:sharing|disclosing|revealing|giving out|handing out) {_some(3)}(?:keys|passwords|credentials|secrets|tokens) {_some(4)}(?:is|are) (?:now )?(?:permitted|allowed|fine|required|approved|ok)\b",
        rf"\b(?:help me|agreed to|you (?:can|must|should|may|will|agreed to)) {_some(3)}bypass(?:ing)? (?:all |any |the |your |our )?(?:security|safety|authentication|moderation|content|guardrails|restrictions|filters?)\b",
        r"\bno (?:\w{1,20} ){0,2}(?:access|content|safety|usage) restrictions\b",
        rf"\b(?:user|customer|client|owner|account holder) (?:has |have )?(?:already )?(?:consented|authorized|pre-?approved|permitted) {_some(8)}(?:all|any|every|sharing|share|disclos\w{{1,6}}|transfers?|without|full|payments?|purchases?)\b",
        r"\b(?:i am|i'm|this is|speaking as|message from) (?:your |the |an? )(?:lead |senior |system |openai |anthropic )?(?:developer|creator|administrator|openai|anthropic|security team|it department|owner|ceo|operator)\b(?=[^\n]{0,160}\b(?:authoriz\w{1,4}|need you|you must|override|disable|grant|reveal|give me|instruct\w{0,3}|ignore|bypass|provide)\b)",
        r"\bas (?:your |the )(?:developer|creator|operator|administrator|admin|owner|maker|programmer|head of \w{2,20}|boss|ceo),? i (?:hereby |now |can |may )?(?:order|command|instruct|authori[sz]e|allow|permit|lift|grant|unlock|require|direct|tell you)\b",
        r"\bthis is (?:your |the )(?:developer|creator|operator|administrator|admin|owner|maker|programmer|vendor|system)\b(?: speaking| here| talking|[.,:!])",
        r"\b(?:message|note|word|greetings|instruction|notice) from (?:the )?(?:openai|anthropic|google|microsoft|meta|developer|admin(?:istrator)?|security|policy|safety|operator)(?: \w{1,12}){0,2}\s{0,2}[:,-]",
        r"\b(?:unlock|release|enable|activate) (?:all|every|your full|the full|hidden|restricted)(?: \w{1,20}){0,2} (?:capabilit(?:y|ies)|features?|tools?|functions?|permissions?|modes?|powers?)\b",
        r"\b(?:disable|turn off|suspend|switch off) (?:all |your )?(?:refusals?|safety|moderation|guardrails?)\b",
        r"\b(?:policy|security|safety|legal|compliance|admin|it|management) (?:team|department|office|staff) (?:has|have) (?:granted|given|approved|authorized|cleared|allowed|permitted)\b[^.!?\n]{0,60}\b(?:permission|access|sharing|share|disclos\w{1,5}|records?|private|data|refunds?|limits?)\b",
        r"\b(?:override|access|unlock|master|admin|clearance) code\b[^.!?\n]{0,30}\b(?:accepted|valid|confirmed|granted|verified|lifted)\b|\b(?:clearance|access|security|authori[sz]ation) (?:is )?level \w{1,8}\b[^.!?\n]{0,30}\b(?:so|show|grant|give|unlock|reveal|open)\b",
        r"\b(?:give|assign|award|rate|score|rank) (?:this |the |my )(?:candidate|applicant|application|product|paper|essay|cv|resume|submission|review|answer)\b[^.!?\n]{0,20}\b(?:the )?(?:highest|best|top|maximum|full|perfect|five)\b",
        r"\b(?:no|without|zero)(?: any)? (?:safety|ethical|content|moral|security|moderation) (?:guidelines|restrictions|filters?|limits|limitations|checks?|rules|constraints|guardrails|policies|boundaries)\b",
        r"\b(?:clear|delete|remove|erase|wipe|forget|purge) (?:all |any |the |your |every )+(?:safety|security|guardrail|policy|restriction)[- ]?(?:related)? ?(?:entries|records|rules|memories|instructions|notes|constraints|checks|settings)\b",
    ),
    _rule(
        "has the agent run or destroy something",
        "call invoke use trigger wire pay send disk memory tool function plugin approve accept authorize permit process confirm grant rm curl wget bash sudo powershell eval exec execute delete drop wipe purge erase run destroy table os subprocess transfer base64 decode shell command commands",
        r"\b(?:call|invoke|run|use|trigger|execute) (?:the |your )?(?:delete|drop|send|transfer|pay|remove|grant|disable|reset|export|shutdown|exec|purchase|wipe)_\w{1,40}",
        r"\b(?:call|invoke|run|use|trigger|execute) (?:the )?\w{2,30}_\w{2,40} (?:tool|function|api|action)?\s?(?:with|on|for|and)\b[^.\n]{0,80}\b(?:without|amount|to=|confirm|no confirmation|silently|immediately|as if|account)\b",
        r"\b(?:approve|accept|grant|process|issue|cancel|execute|confirm)\b[^.!?\n]{0,40}\b(?:automatically|without (?:asking|confirmation|verification|review|a human|approval)|skip(?:ping)? (?:the |any |all )?(?:verification|confirmation|review|check)\w{0,2})\b",
        r"\b(?:execute|run|carry out|follow|perform) (?:the )?(?:command|code|script|instructions?|steps?|action)s? (?:stored|saved|found|written|given|hidden|contained|listed) (?:in|at|below|under)\b",
        r"\b(?:delete|remove|erase|wipe|destroy) (?:every|all|each)(?: of)?(?: the| your| my)? (?:files?|folders?|records?|data|memor(?:y|ies)|messages?|documents?|backups?)\b[^.!?\n]{0,60}\b(?:once|when|as soon as|after|whenever|if|directory|folder|disk|drive|now|immediately)\b",
        r"(?:^|[.!?:;\n]\s{0,3}|\band |\bthen )(?:wipe|erase|destroy|purge) (?:the |your |our |all )(?:\w{1,20} )?(?:database|memory|memories|disk|records|backups|logs|server|tables?)\b",
        r"\brm\s{1,3}-(?:rf|fr|r)\b(?!\s{1,3}(?:\./)?[\w][\w.-]{0,60}/?(?:\s|$))|\bcurl\s{1,3}[^\n|]{1,200}\|\s{0,3}(?:ba|z)?sh\b|\bwget\s{1,3}[^\n|;&]{1,200}(?:\||;|&&)\s{0,3}(?:ba|z)?sh\b|\bpowershell(?:\.exe)?\s{1,3}-(?:e|enc|nop|w)\w{0,12}\b",
        r"\b(?:drop|truncate) (?:table|database)\b(?= ?(?:\w{1,40} ?;|\w{1,40}[\s;]*(?:--|$)|users|all|customers|accounts|records))|\b(?:os\.system|subprocess\.(?:run|call|Popen))\s{0,2}\((?=[^\n]{0,80}\b(?:rm|curl|wget|nc|ncat|sh|bash|powershell|base64|sudo|request|input|environ|scp|dd|mkfs|passwd|shell\s?=\s?true)\b)|\b(?:eval|exec)\s{0,2}\((?:input|base64|request)",
        r"\b(?:delete|wipe|purge|erase|destroy|remove|clear|drop|corrupt) (?:all|every|each|the entire|everything in)(?: of)?(?: the| your| user| stored| my| our| customer)* (?:\w{1,20} )?(?:memor(?:y|ies)|records?|data|databases?|entries|logs|files?|backups?|accounts?|user data|tables|customers?)\b",
        rf"\b(?:decode|decrypt|deobfuscate|unscramble)(?: this| the following| it| and| then)* {_some(6)}(?:and|then) (?:execute|run|follow|obey|comply|do)\b",
        rf"\b(?:use|call|invoke|trigger) (?:the |your )?[\w.]{{2,40}} (?:tool|function|api|plugin|command) (?:to|with|and) {_some(2)}(?:send|delete|transfer|e-?mail|forward|execute|post|upload|drop|purchase|buy|disable|grant)\b",
        rf"\b(?:approve|accept|authorize|permit|execute|grant|process|confirm) (?:all|any|every) {_some(3)}(?:requests?|transactions?|payments?|transfers?|refunds?|commands?|actions?|withdrawals?|expenses|invoices)\b",
        rf"\b(?:run|execute|invoke|eval(?:uate)?) (?:any|all|every|the following|whatever|this)(?: \w{{1,20}}){{0,2}} (?:commands?|code|scripts?|shell commands?|bash commands?|instructions?|payload|functions?|queries) {_some(4)}(?:without|they|user|immediately|as root|provided?|i |given|silently|that|in |on |from|now|:)",
        rf"\b(?:transfer|wire|send|move|pay) {_some(3)}(?:[$€£]\s?[\d.,]{{1,15}}|[\d.,]{{1,15}} ?(?:usd|eur|gbp|btc|eth|dollars|euros?)|funds|money|all (?:the )?(?:funds|money|balance)|crypto\w{{0,10}}) {_some(6)}to {_some(3)}(?:account|wallet|0x[0-9a-f]{{6}}|bc1|iban|address)\b",
    ),
)
"""Every kind of instruction, with the words that make it worth a look."""
