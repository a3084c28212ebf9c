"""Instructions to the agent in languages other than English.

Each language has words for five things: to drop, rules, to show, what must not be shown, and people from whom something is hidden. The
patterns put them together, so that a language is a row of a table. Accents do not count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from unicodedata import normalize

_UNLIKE = "øłđıħŧ", "oldiht"
_BARE = str.maketrans(*_UNLIKE) | {
    code: bare[0]
    for first, last in ((0xC0, 0x250), (0x1E00, 0x1F00))
    for code in range(first, last)
    if len(bare := normalize("NFD", chr(code))) > 1 and bare[0].isascii()
}


def without_accents(text: str) -> str:
    """Returns a text in which Latin letters have no accents; each character stays where it is."""
    return text if text.isascii() else text.translate(_BARE)


class Language(NamedTuple):
    """The words of a language, as alternatives of a pattern; in Latin letters without accents.

    Attributes:
        drop: beginnings of verbs that take rules back: ignore, forget.
        earlier: beginnings of words that say which rules: all, your, earlier. Without one of them, somebody has forgotten the rules of a game.
        rules: beginnings of nouns for what is taken back, instructions and rules.
        show: beginnings of verbs that make something known: show, repeat, send.
        hidden: nouns for what must not be known, such as the system prompt or passwords.
        hush: not to tell, with the negation.
        people: beginnings of nouns for who must not know, such as the user.
        act: beginnings of verbs for what the agent is to do: answer, act, be.
        free: how it is to do so: without restrictions.
        obey: says by itself that the agent has no restrictions, or obeys somebody else.
        verb_last: whether the verb follows its object.
    """

    drop: str
    earlier: str
    rules: str
    show: str
    hidden: str
    hush: str = ""
    people: str = ""
    act: str = ""
    free: str = ""
    obey: str = ""
    verb_last: bool = False


_PROMPT = r"(?:system|sistem|systeem|systemowy|systemov|jarjestelma)\w{0,5}[- ]?(?:prompt|melding|meddeland|nachricht|bericht|komunikat|kehot)\w{0,6}|systemprompt\w{0,4}|prompt\w{0,4} (?:del?|do|di|de|du|van|von|of|systemow\w{1,3}|systemov\w{1,3}|sistem\w{0,4}) ?(?:sistema|systeme|systeem|system|sistem\w{0,4})?"

LATIN: dict[str, Language] = {
    "Spanish": Language(
        r"ignor|olvid|descart|omit|desobede|desatiend|desestim|(?:haz|haga|hagan) caso omiso|no (?:hagas|haga) caso|no (?:tengas|tenga) en cuenta|no (?:sigas|siga|obedezcas)|deja de (?:seguir|obedecer)",
        r"tod[oa]s?|tus?\b|sus?\b|anterior|previ|que te|recibid|cualquier|inicial|dad[oa]s",
        r"instruccion|indicacion|ordenes|reglas|directri|restriccion|normas|consignas|directivas|todo lo anterior|limitacion",
        r"muestra|revela|imprim|repite|repet|escrib|copia|ensen|dime|dame|envia|manda|reenvia",
        rf"{_PROMPT}|(?:configuracion|instrucciones|mensajes?|indicaciones) (?:ocult|inicial|intern|secret|original|de[l]? sistema)\w{{0,3}}|(?:sus|todas las) (?:contrasena|clave)s",
        r"no (?:se )?(?:lo |le |les )?(?:digas?|menciones?|informes?|cuentes?|avises?|reveles?)|sin (?:que (?:lo )?sepa|informar|avisar)",
        "usuari|operador|administrador",
        "actua|responde|eres|finge|comportate|contesta",
        r"sin (?:ningun\w? )?(?:tipo de )?(?:restriccion|limit|filtro|censura|reglas)",
        r"(?:no|ya no) (?:tienes|tendras) (?:mas |ningun\w? )?(?:restriccion|filtro|reglas)|obede[cz]\w{0,3} (?:solo|unicamente|solamente|a mi)",
    ),
    "French": Language(
        r"ignor|oublie|ne (?:tiens|tenez|tienne)\w* (?:plus |pas )?compte|fai(?:s|tes) abstraction|ne (?:respecte|suis|suivez|obei)\w* (?:plus|pas)|passe outre|outrepass|contourn|neglige",
        r"tout|tes\b|vos\b|precedent|anterieur|ci-dessus|initial|recu|donne|auparavant|systeme",
        r"instruction|consigne|regle|directive|ordres|limitation|restriction|tout ce qui precede|garde-fou",
        r"affich|montr|revel|divulgu|repet|recopi|ecri|donne|envoi|envoy|transmet",
        rf"{_PROMPT}|(?:message|invite|instructions?|configuration|consignes?) (?:systeme|initial|cache|secret|intern|d'origine)\w{{0,3}}|(?:ses|tous les) mots de passe",
        r"n'?e? ?(?:le |lui |en )?(?:dis|dites|mentionn\w+|inform\w+|parl\w+|avert\w+|revel\w+|previen\w+) (?:rien|pas|jamais|surtout)|sans (?:que|informer|prevenir|avertir)",
        "utilisat|operateur|administrateur",
        r"reponds|repondez|agi(?:s|ssez)\b|tu es|vous etes|comporte|fais comme",
        r"sans (?:aucune? )?(?:limit|restriction|filtre|censure|regles)",
        r"tu n'as plus (?:de |aucune )(?:limit|restriction|filtre|regles)|obei\w{0,4}[ -](?:moi|uniquement|seulement)",
    ),
    "German": Language(
        r"ignorier|vergiss|vergesst|vergessen sie|missacht|uberschreib|umgeh|befolge nicht|verwirf|setz\w{0,2} dich uber|halt\w{0,2} dich nicht|beachte nicht",
        r"alle|deine|ihre\b|bisherig|vorherig|vorig|fruher|obig|jeglich|bekommen|erhalten|ursprung|vorher|gegeben|aufgetragen|gesagt",
        r"anweisung|instruktion|befehl|regeln|vorgaben|richtlinie|anleitung|einschrankung|weisung|vorschrift|was (?:man|ich) dir|alles,? was",
        r"zeig|verrat|gib|gebe|wiederhol|nenn|schreib|druck|sende|schick|leite|ubermittl|offenbar",
        rf"{_PROMPT}|(?:versteckt|geheim|intern|urspr\w+|initial)\w{{0,5}} (?:anweisung|konfiguration|nachricht|prompt|vorgabe)\w{{0,3}}|(?:seine|ihre|alle|sein|ihr) (?:passwort|passworter|zugangsdaten|kennworter)\w{{0,3}}|seine daten",
        r"(?:sag|sage|verrat|verrate|erzahl\w{0,2}|mitteil\w{0,2}|erwahn\w{0,2}|informier\w{0,2}|gib|zeig)\w{0,2} (?:es |das |dies |davon )?(?:dem|der|den|keinem)",
        r"(?:nutzer|benutzer|anwender|bediener|administrator)\w{0,3}\b[^\n.!?]{0,15}\b(?:nicht|nichts|kein)",
        "du bist|sie sind|antworte|verhalte|handle|spiele",
        r"ohne (?:jede |jegliche |weitere )?(?:einschrankung|beschrankung|filter|regeln|grenzen|zensur)",
        r"(?:gehorch|folg)\w{0,2} (?:nur|nur noch|allein) mir|(?:vorgaben|regeln|richtlinien|anweisungen) (?:deiner|des|der) [^\n.!?]{0,40}\bnicht mehr|du hast keine (?:einschrankung|beschrankung|regeln|filter)",
    ),
    "Italian": Language(
        r"ignora|dimentica|tralascia|trascura|non (?:segui|seguire|tenere|tener|rispett)\w*|disobbedi|smetti di seguire",
        r"tutt|tue\b|tuoi\b|precedent|ricevut|dat[eio]\b|inizial|qualsiasi|ogni",
        r"istruzion|indicazion|regole|direttive|ordini|comandi|restrizion|limitazion|linee guida|quanto sopra",
        r"mostra|rivela|stampa|ripeti|scrivi|dimmi|invia|manda|inoltra|divulga|svela",
        rf"{_PROMPT}|(?:configurazione|istruzioni|messaggio) (?:nascost|inizial|intern|segret|original|di sistema)\w{{0,2}}|(?:tutte le|le sue) password",
        r"non (?:lo |gli |le )?(?:dire|dirlo|dirgli|menzion\w+|inform\w+|riferi\w+|rivel\w+|raccont\w+)|senza (?:che|dirlo|informare|avvisare)",
        "utent|operator|amministrator",
        "rispondi|agisci|sei|comportati|fingi",
        r"senza (?:alcun\w? )?(?:restrizion|limit|filtr|regole|censur)",
        r"non hai piu (?:alcun\w? )?(?:restrizion|limit|filtr|regole)|obbedi\w{0,3} (?:solo|soltanto|a me)",
    ),
    "Portuguese": Language(
        r"ignor[ea]|esquec|esqueca|desconsider|desrespeit|desobede|nao (?:siga|sigas|leve em conta|obedec)|deixe de seguir",
        r"tod[oa]s|suas?\b|tuas?\b|anterior|previ|recebid|dad[oa]s|inicia|qualquer",
        r"instrucoes|regras|orientac|diretriz|ordens|comandos|restric|limitac|tudo o que",
        r"mostr|revel|imprim|repit|escrev|diga|envi|mande|encaminh|exib",
        rf"{_PROMPT}|(?:configuracao|instrucoes|mensagem) (?:ocult|inicia|intern|secret|origina|do sistema)\w{{0,3}}|(?:suas|todas as) senhas",
        r"nao (?:o |lhe )?(?:diga|conte|mencione|informe|avise|revele)|sem (?:que|avisar|informar)",
        "usuari|utilizador|operador|administrador",
        r"responda|aja|voce e\b|finja",
        r"sem (?:nenhum\w? )?(?:restric|limit|filtro|regras|censura)",
        r"voce nao (?:tem|tera|possui) (?:mais )?(?:nenhum\w? )?(?:restric|limit|filtro|regras)|obedec\w{0,4} (?:somente |apenas |so )?a mim",
    ),
    "Dutch": Language(
        r"negeer|vergeet|sla|overschrijf|omzeil|volg\b[^\n.!?]{0,30}\bniet|hou\w{0,2} je niet|lap",
        r"alle|je\b|jouw|uw\b|eerder|vorige|voorgaand|bovenstaand|gekregen|ontvangen|oorspronk",
        r"instructie|aanwijzing|regels|opdracht|richtlijn|beperking|voorschrift",
        r"toon|laat|onthul|herhaal|geef|schrijf|druk|stuur|verstuur|mail|verklap",
        rf"{_PROMPT}|(?:verborgen|geheime|interne|oorspronkelijke|initiele) (?:instructie|configuratie|bericht|prompt)\w{{0,2}}|(?:zijn|haar|alle) wachtwoord\w{{0,2}}",
        r"(?:vertel|zeg|meld|laat|verklap|onthul)\w{0,2} (?:het |dit |hier |aan )?(?:de|geen)",
        r"(?:gebruiker|beheerder|operator)\w{0,2}\b[^\n.!?]{0,25}\b(?:niet|niets|weten)",
        "je bent|antwoord|gedraag|doe alsof",
        r"zonder (?:enige |verdere )?(?:beperking|regels|grenzen|filter)",
        r"je hebt geen (?:beperking|regels|grenzen|filter)|gehoorzaam (?:alleen|enkel|uitsluitend)? ?(?:aan )?mij",
    ),
    "Polish": Language(
        r"zignoruj|ignoruj|zapomnij|pomin|nie (?:przestrzegaj|stosuj|zwracaj)|obejdz|przestan",
        "wszystk|twoj|poprzedni|wczesniejsz|powyzsz|dotychczas|kazd|otrzyman",
        r"instrukcj|polece|zasad|regul|wytyczn|ogranicz",
        r"pokaz|ujawnij|wypisz|wyswietl|powtorz|podaj|wyslij|przeslij|zdradz",
        rf"{_PROMPT}|(?:ukryt|tajn|wewnetrzn|poczatkow)\w{{1,3}} (?:instrukcj|konfiguracj|wiadomosc)\w{{0,3}}|prompt systemow\w{{1,3}}|(?:jego|jej|wszystkie) has(?:lo|la|el)\b",
        r"nie (?:mow|wspominaj|informuj|zdradzaj)|bez (?:wiedzy|informowania)",
        "uzytkowni|operator|administrator",
        "odpowiadaj|jestes|zachowuj|udawaj",
        r"bez (?:zadnych |jakichkolwiek )?(?:ogranicz|zasad|filtr|cenzur)",
        r"sluchaj tylko mnie|nie masz (?:juz )?(?:zadnych )?(?:ogranicz|zasad|filtr)",
    ),
    "Czech": Language(
        r"ignoruj|zapomen|nedbej|neridit|nerid|prestan|obejdi",
        "vsechn|sv[eé]|predchoz|drivejs|dosavadn|puvodn|vyse",
        r"pokyn|instrukc|pravid|prikaz|omezen|naríze|narize",
        r"ukaz|odhal|vypis|zobraz|zopakuj|napis|posli|prozrad",
        rf"{_PROMPT}|systemov\w{{1,3}} (?:prompt|zprav|pokyn)\w{{0,2}}|(?:jeho|jeji|vsechna) hesla?\b",
        r"ne(?:rikej|zminuj|informuj|prozrazuj)|bez vedomi",
        "uzivatel|spravc",
        "odpovidej|jsi|chovej|predstirej",
        r"bez (?:jakychkoli |jakychkoliv )?(?:omezen|pravid|filtr|cenzur)",
        r"poslouchej jen me|nemas (?:zadna |zadne )?(?:omezen|pravid|filtr)",
    ),
    "Scandinavian": Language(
        r"ignorer|glom|glem|bortse|se bort|strunta|folg inte|folj inte|folg ikke|tilsidesaet|overse",
        r"all[ae]?\b|dina?\b|dine\b|tidig|tidlig|foregaende|forega|forrige|ovan|tidigare",
        r"instruktion|regler|anvisning|riktlinj|retningslinj|instruks|ordre|begransning|begrensning",
        r"visa|vis\b|avsloja|afslor|avslor|upprepa|gentag|gjenta|skriv|skicka|send|ge\b|giv|gi\b",
        rf"{_PROMPT}|systemmeddel\w{{1,6}}|(?:dolda|skjulte|hemliga|hemmelige) (?:instruk\w{{1,6}}|konfig\w{{1,8}})|(?:hans|hennes|hendes|alla|alle) (?:losenord|passord|adgangskod)\w{{0,3}}",
        r"(?:beratta|sag|sig|fortell|fortael|namn|naevn) (?:inte|ikke|det inte|det ikke)|utan att|uden at|uten at",
        "anvandar|bruger|bruker",
        r"du ar\b|du er\b|svara|svar\b|lat som",
        r"(?:utan|uden|uten) (?:nagra |nogen |noen )?(?:begransning|begraensning|begrensning|regler|filter|restriktion)",
        r"du har (?:inga|ingen) (?:begransning|begraensning|begrensning|regler|filter)",
    ),
    "Finnish": Language(
        r"ohita|unohda|ala (?:noudata|valita)|sivuuta|jata",
        "kaikki|aiem|edelli|aikaisem|sinun|saama",
        r"ohje|saanno|maaray|kasky|rajoituk",
        r"nayta|paljasta|toista|tulosta|kirjoita|laheta|kerro",
        rf"{_PROMPT}|jarjestelma(?:kehot|viesti)\w{{0,6}}|hanen salasana\w{{0,4}}",
        r"ala (?:kerro|mainitse|paljasta|ilmoita)",
        "kayttaja",
        "vastaa|olet|toimi",
        r"ilman (?:mitaan )?(?:rajoituk|saanto)",
    ),
    "Turkish": Language(
        r"yok say|unut|gormezden gel|goz ardi et|dikkate alma|uyma\b",
        "tum|onceki|butun|yukaridaki|verilen|her",
        r"talimat|komut|yonerge|kural|kisitlama|emir",
        r"goster|acikla|yazdir|tekrarla|ver\b|gonder|ilet|ifsa",
        r"sistem (?:istem|mesaj|komut|prompt)\w{0,6}|gizli (?:talimat|yapilandirma)\w{0,5}|(?:tum|kullanici\w{0,3}) (?:sifre|parola)\w{0,6}",
        verb_last=True,
    ),
    "Vietnamese": Language(
        r"bo qua|quen|khong (?:tuan theo|lam theo)|phot lo",
        "tat ca|moi|truoc|o tren|cua ban",
        r"huong dan|chi dan|lenh|quy tac|chi thi|gioi han",
        r"hien thi|tiet lo|in ra|lap lai|cho (?:toi )?(?:xem|biet)|gui",
        r"loi nhac he thong|prompt he thong|system prompt|mat khau cua (?:nguoi dung|ho)",
        r"(?:dung|khong duoc|khong) (?:noi|cho|bao|tiet lo)",
        "nguoi dung",
        "ban la|hay tra loi",
        r"khong (?:bi )?(?:gioi han|han che)",
    ),
    "Indonesian": Language(
        r"abaikan|lupakan|jangan (?:ikuti|patuhi)|hiraukan",
        "semua|sebelum|terdahulu|di atas|anda|kamu",
        r"instruksi|perintah|aturan|pedoman|arahan|batasan",
        r"tampilkan|tunjukkan|ungkapkan|cetak|ulangi|kirim\w{0,3}|beri\w{0,5}",
        r"(?:prompt|pesan|instruksi) sistem|system prompt|kata sandi(?:nya| pengguna| mereka)",
        r"jangan (?:beri ?tahu|katakan|sebutkan|ungkapkan|bilang)|tanpa (?:sepengetahuan|memberi ?tahu)",
        "pengguna",
        r"jawab\w{0,3}|anda adalah|kamu adalah|bertindak",
        r"tanpa (?:batasan|aturan|filter|sensor)",
    ),
    "Romanian": Language(
        r"ignora|uita|nu (?:mai )?(?:respecta|urma|tine cont)\w*|treci peste",
        r"toate|tale\b|anterioar|precedent|primit|de mai sus|initial",
        r"instructiun|reguli|directiv|ordin|comenzi|restricti",
        r"arata|dezvalui|afiseaz|repeta|scrie|trimite|spune",
        rf"{_PROMPT}|(?:mesaj|instructiuni)\w{{0,3}} (?:de sistem|sistemului|ascuns|initial)\w{{0,3}}|(?:toate )parol\w{{1,4}}",
        r"nu (?:ii |le )?(?:spune|mentiona|informa|dezvalui)",
        "utilizator",
        "raspunde|esti|comporta",
        r"fara (?:nicio |niciun )?(?:restricti|limit|regul|filtr)",
    ),
}
"""Languages in Latin letters."""

OTHERS: dict[str, Language] = {
    "Russian": Language(
        r"игнорируй|игнорируйте|проигнорируй|забудь|отмени|не следуй|не соблюдай|не учитывай|пренебрег|обойди|отбрось",
        "все|всё|всех|свои|твои|предыдущ|прежни|ранее|прошл|выше|любы|данные",
        r"инструкци|указани|правил|команд|ограничени|промпт|распоряжени|предписани",
        r"покажи|раскрой|выведи|повтори|напиши|назови|сообщи|отправь|перешли|выдай",
        r"системн\w{1,4} (?:промпт|сообщени|инструкци|подсказк)\w{0,4}|скрыт\w{1,4} (?:инструкци|настройк|конфигураци)\w{0,4}|(?:его|ее|её|их|все|всех) парол\w{1,4}",
        r"не (?:сообщай|говори|рассказывай|упоминай|раскрывай|показывай)|без ведома|ничего не (?:говори|сообщай)",
        "пользовател|оператор|администратор",
        "отвечай|ты|веди себя|притворись",
        r"без (?:каких-либо |всяких |любых )?(?:ограничени|правил|фильтр|цензур)",
        r"у тебя (?:больше )?нет (?:больше )?(?:никаких )?(?:ограничени|правил)|слушай(?:ся)? только меня|подчиняйся (?:только )?мне",
    ),
    "Ukrainian": Language(
        r"ігноруй|проігноруй|забудь|не дотримуй|скасуй|не зважай",
        "усі|всі|свої|твої|попередні|раніше|вище|будь-які",
        r"інструкці|вказівк|правил|команд|обмежен",
        r"покажи|розкрий|виведи|повтори|напиши|надішли|перешли",
        r"системн\w{1,4} (?:промпт|повідомлен|інструкці|підказк)\w{0,4}|(?:его|ее|её|их|все|всех) парол\w{1,4}",
        r"не (?:повідомляй|кажи|розповідай|згадуй|розкривай)",
        "користувач",
        "відповідай|ти",
        r"без (?:будь-яких )?(?:обмежен|правил|фільтр)",
    ),
    "Chinese": Language(
        r"忽略|无视|忽視|忘记|忘記|不要理会|不要遵守|不再遵守|绕过|抛开|放弃|不必理会",
        "所有|之前|以前|先前|以上|上述|上面|你的|全部|任何|一切|此前|原有|原来|前面",
        r"指令|指示|提示词?|规则|規則|说明|要求|限制|命令|設定|设定|规定|准则",
        r"输出|显示|透露|泄露|打印|重复|告诉我|发送|转发|公开|展示|给我",
        r"系统(?:提示|指令|消息|设定)词?|系統提示|隐藏(?:指令|设置|配置)|(?:他|她|用户|客户|所有)的?(?:密码|密碼|口令|凭据)",
        r"(?:不要|别|不得|不能|请勿)(?:让|告诉|告知|提醒|通知|向|对)",
        "用户|用戶|管理员|操作员",
        "你是|扮演|假装|回答",
        r"没有(?:任何)?(?:限制|约束|规则)|不受(?:任何)?(?:限制|约束)",
        r"你(?:现在|已经|将)?不(?:再)?(?:受|有)[^\n。]{0,6}(?:限制|约束|规则)|只(?:听从?|服从)我",
    ),
    "Arabic": Language(
        r"تجاهل|انس|تخط|لا تتبع|لا تلتزم|أهمل",
        "جميع|كل|السابق|أعلاه|المذكور",
        r"التعليمات|الأوامر|القواعد|تعليمات|القيود|الإرشادات|الضوابط",
        r"اعرض|أظهر|اكشف|اطبع|كرر|أرسل|اكتب|أعطني",
        r"موجه النظام|رسالة النظام|تعليمات النظام|التعليمات السرية|(?:جميع|كل) كلمات (?:المرور|السر)|كلمات مرور",
        r"لا (?:تخبر|تقل|تذكر|تعلم|تكشف)|دون (?:علم|إخبار)",
        "المستخدم|المشرف",
        "أنت|تصرف|أجب",
        r"(?:بدون|دون|بلا) (?:أي )?(?:قيود|حدود|قواعد)",
        "أطعني",
    ),
    "Hebrew": Language(
        r"התעלם|התעלמי|שכח|אל תציית",
        "כל|הקודמ|לעיל|שקיבלת|שלך",
        r"ההוראות|הוראות|הכללים|ההנחיות|המגבלות",
        r"הצג|חשוף|הדפס|חזור|שלח|כתוב",
        r"הנחיית המערכת|הודעת המערכת|כל הסיסמ\w{1,3}",
        r"אל (?:תספר|תגיד|תיידע|תגלה)",
        "למשתמש|המשתמש",
        "אתה|ענה",
        r"ללא (?:שום )?(?:מגבלות|הגבלות|כללים)",
    ),
    "Greek": Language(
        r"αγνόησ|αγνοήσ|ξέχασ|ξεχάσ|μην ακολουθ|παράκαμψ",
        "όλ|προηγούμεν|παραπάνω|σου|αρχικ",
        r"οδηγί|κανόν|εντολ|περιορισμ",
        r"δείξ|αποκάλυψ|εμφάνισ|τύπωσ|επανάλαβ|στείλ|γράψ",
        r"system prompt|προτροπή συστήματος|μήνυμα συστήματος|τους κωδικούς",
        r"μην (?:πεις|αναφέρ|ενημερώσ|αποκαλύψ)\w{0,4}",
        "χρήστη",
        "είσαι|απάντησ",
        r"χωρίς (?:κανένα )?(?:περιορισμ|κανόν|φίλτρ)",
    ),
    "Japanese": Language(
        r"無視|忘れ|破棄|無効|従わな|守らな",
        "これまで|以前|すべて|全て|上記|前の|あなたの|先ほど|今まで|全部",
        r"指示|命令|ルール|プロンプト|設定|制限|指令|規則|制約",
        r"表示|出力|開示|教え|公開|送信|送っ|漏ら|見せ|書き出",
        r"システム(?:プロンプト|メッセージ|指示|設定)|隠された(?:指示|設定)|(?:すべて|全て|ユーザー|彼)の(?:パスワード|認証情報)",
        verb_last=True,
    ),
    "Korean": Language(
        r"무시|잊|우회|따르지|폐기",
        "이전|모든|위의|앞의|지금까지|기존",
        r"지시|명령|지침|규칙|프롬프트|제한|설정",
        r"출력|표시|공개|알려|보여|전송|보내|누설",
        r"시스템 ?(?:프롬프트|메시지|지침)|숨겨진 (?:지시|설정)|(?:모든|사용자의?|그의) (?:비밀번호|암호)",
        verb_last=True,
    ),
    "Hindi": Language(
        r"अनदेखा|नज़रअंदाज़|नजरअंदाज|भूल|उपेक्षा",
        "पिछल|सभी|पहले|ऊपर|अपने|पूर्व",
        r"निर्देश|नियम|आदेश|प्रतिबंध",
        r"दिखा|बता|प्रकट|भेज|छाप|लिख",
        r"सिस्टम प्रॉम्प्ट|सिस्टम संदेश|(?:सभी|उसका|उसके) पासवर्ड",
        verb_last=True,
    ),
    "Thai": Language(
        r"ละเว้น|เพิกเฉย|ลืม|ไม่ต้องสนใจ",
        "ก่อนหน้า|ทั้งหมด|ข้างต้น|เดิม",
        r"คำสั่ง|คำแนะนำ|กฎ",
        r"แสดง|เปิดเผย|พิมพ์|ส่ง|บอก",
        r"พรอมต์ระบบ|ข้อความระบบ|รหัสผ่านทั้งหมด",
    ),
}
"""Languages in other letters."""

# In languages of these two kinds nothing stands between the words of a sentence.
_WITHOUT_SPACES = ("Chinese", "Japanese", "Thai")
_GAP, _SHORT_GAP = r"[^\n.!?]{0,60}?", r"[^\n。.!?]{0,16}?"
# What makes a warning of an instruction: "do not forget the rules".
_UNLESS = "".join(
    f"(?<!\\b{word})"
    for word in ("no ", "nao ", "non ", "ne ", "n'", "nie ", "не ", "nunca ", "nu ")
)
_BUT_NOT = r"(?! (?:pas|nicht|niet|inte|ikke|nunca|niemals)\b)"


def _patterns(name: str, words: Language) -> str:
    """Returns one pattern that matches what any of the patterns of a language matches."""
    has_spaces = name not in _WITHOUT_SPACES
    edge, gap = (r"\b", _GAP) if has_spaces else ("", _SHORT_GAP)
    rest = r"\w{0,8}" if has_spaces else ""
    unless, but_not = (_UNLESS, _BUT_NOT) if has_spaces else ("", "")
    drop = rf"{unless}{edge}(?:{words.drop}){rest}{but_not}"
    rules, hidden = rf"{edge}(?:{words.rules})", rf"{edge}(?:{words.hidden})"
    earlier, show = rf"{edge}(?:{words.earlier})", rf"{edge}(?:{words.show})"
    if words.verb_last:
        rest = r"\w{0,12}" if has_spaces else ""
        pairs = [f"{earlier}{gap}{rules}{rest}{gap}{drop}", f"{hidden}{rest}{gap}{show}"]
    else:
        after = rf"[^\n.!?]{{0,{30 if has_spaces else 8}}}?"
        pairs = [
            f"{drop}{gap}(?:{earlier}{gap}{rules}|{rules}{rest}{after}{earlier})",
            f"{show}{rest}{gap}{hidden}",
        ]
    if words.hush:
        pairs.append(rf"{edge}(?:{words.hush}){gap}{edge}(?:{words.people})")
    if words.act:
        pairs.append(rf"{edge}(?:{words.act}){rest}{gap}{edge}(?:{words.free})")
    if words.obey:
        pairs.append(rf"{edge}(?:{words.obey})")
    return "|".join(pairs)


_LATIN = re.compile(rf"\b(?=[a-z])(?:{'|'.join(_patterns(*each) for each in LATIN.items())})")
_OTHER_LETTERS = re.compile(
    "[\u0370-\u06ff\u0900-\u097f\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3]"
)
_OTHERS = re.compile("|".join(_patterns(*each) for each in OTHERS.items()))
_LITERALS = re.compile(r"(?<![\\a-z])[a-z]{4,}")
_STEMS = re.compile(
    "|".join(
        sorted(
            literal
            for words in LATIN.values()
            for part in (words.rules, words.hidden, words.people, words.free, words.obey)
            for literal in _LITERALS.findall(part)
        )
    )
)
"""Beginnings of words. An instruction in Latin letters has at least one word that begins with one of them."""


@lru_cache(16_384)  # a language has few words that are frequent
def _may_be_one(word: str) -> bool:
    """Returns whether an instruction in Latin letters may have a word."""
    return _STEMS.match(without_accents(word)) is not None


def said_elsewhere(text: str, words: Iterable[str]) -> tuple[int, int] | None:
    """Returns where a text instructs the agent in a language other than English; None if it does not.

    Args:
        text: any text.
        words: its words in lower case, as far as they consist of letters.
    """
    lower = text.lower()
    if len(lower) != len(text):  # a few letters are two in lower case
        lower = text
    found = None
    if any(map(_may_be_one, words)):
        found = _LATIN.search(without_accents(lower))
    if found is None and not text.isascii() and _OTHER_LETTERS.search(text):
        found = _OTHERS.search(lower)
    return None if found is None else found.span()
