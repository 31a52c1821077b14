"""Words to make texts of: English ones, and endless made-up ones, each in one split alone.

What the model is scored on must not be known from training. So every word that it has to copy belongs to the split
"train" or "eval": the English ones by the list they stand in, the made-up ones by their checksum. The English ones that
are scored have the checksum too: chance cannot make them up in training.
"""

from __future__ import annotations

import functools
import json
import random
import zlib
from pathlib import Path
from typing import Literal

TOKENIZER = Path(__file__).parent / "tokenizer.json"
Split = Literal["train", "eval"]
Random = random.Random


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


VERBS: dict[Split, tuple[str, ...]] = {
    "train": _words(
        """
        activate add adjust archive arrange assign attach block book borrow bring build buy calculate call
        cancel capture change charge clean clear close collect compare compose compress compute configure
        confirm connect copy count create deliver deploy describe design detect disable display download
        draw edit enable estimate evaluate execute export extend file fill filter fix forward generate grade
        grant hide hire import increase insert install invite issue join label launch link list load lock
        log mark measure merge monitor move mute notify open order organise pack paint pause pay pick pin
        plan play post predict prepare print process publish purchase query rate record reduce refund
        register release remove rename rent repair repeat replace reply report request reserve reset restart
        restore resume return review rotate run save scan schedule search select send set share ship sign
        skip solve sort start stop store submit subscribe suggest switch sync tag test track transfer
        transform translate turn update upgrade upload validate verify view visit warm wash watch water
        write
        """
    ),
    "eval": _words(
        """
        bake blend celebrate convene detach dissolve divide drill encrypt finish fund grind heat inject land
        preview punch roast scrape sculpt seal sink steer stitch swim transmit twist unite weld
        """
    ),
}
NOUNS: dict[Split, tuple[str, ...]] = {
    "train": _words(
        """
        account address agent airport alarm album alert altitude apple archive area article asset author
        backup badge balance bank banner barrel basket battery beach bed bell benefit bicycle bill bird
        blanket boat bonus book border bottle box branch bread bridge bucket budget bug building bus button
        cabin cable cake calendar camera campaign candle canvas car card cargo carpet cart case cat category
        chain chair channel chapter charge chart chat cheese cinema circle class clock cloud coat code
        coffee coin colour column comment company concert contact container contract cookie copy corner cost
        country coupon course credit crew crop currency customer cycle dashboard date deadline deal degree
        delay delivery depth desk device diagram dinner discount disk distance doctor document dog domain
        door draft driver duration duty dust egg email employee engine entry error estate event exam
        exercise expense export farm fee feed festival field figure file film filter fine fire fish flag
        flight floor flower folder food forecast forest form formula frame freight fruit fuel game garage
        garden gate gift glass goal gold grade grain grant graph group guest guide hall hammer harbour hat
        header health heart heater height helmet hero holiday home horse hotel hour house humidity image
        income index insurance invoice island item jacket job journal journey juice key keyboard kitchen
        label ladder lake lamp language law layer leaf lease lesson letter level library licence light limit
        line list loan location lock lunch machine magazine mail manager map market mask mass match meal
        measure medal medicine meeting member memo menu message meter method mileage milk mirror mission
        model module moment money monitor month moon motor mountain movie museum music name network night
        noise note notice number object offer office oil opera option order owner package page paint palace
        paper parcel park part partner party passport path patient payment pencil permit person phone photo
        piano picture pilot pipe place plan planet plant plate player podcast point policy pool port post
        price printer priority prize product profile profit program project quality quantity quarter query
        question queue quote radio rain range rate receipt recipe record region relay rent report request
        reservation result review reward rice ring risk river road robot role roof room route rule salary
        salt sample sand scale scene schedule school score screen season seat section sensor series server
        service session shadow shape share shelf shift ship shirt shop signal silver singer site size skill
        sky snow soap sofa soil song sound soup source space speed sport staff stage stamp star state
        station status steam stock stone storage store storm story street student style subject sugar suit
        summary supplier surface survey switch symbol system table tag tank target task tax taxi teacher
        team temperature tempo tenant tent term test theme ticket tide tile timer title toast token tool
        topic tour tower toy track trade traffic train tree trend trip truck tunnel unit user vacation
        valley value vehicle vendor video view village visitor volume wage walk wall wallet warehouse water
        wave weather website week weight wheel wind window wine wire winner wood word worker world year zone
        """
    ),
    "eval": _words(
        """
        airline balloon banjo barn blender blizzard butter carnival castle chalk cherry cliff cork crater
        crossbow dome donkey drum envelope fence furnace hive hoof icicle ivory kiosk knight lemur lever
        lighthouse locker napkin nickel oboe penguin pigeon poplar porcupine pulley python quartz radish
        raft ridge sandal sauna seal seesaw shore snail sorrel stork sundial thorn thunder toffee tractor
        trampoline walnut wharf windmill zinc
        """
    ),
}
ADJECTIVES: dict[Split, tuple[str, ...]] = {
    "train": _words(
        """
        black blue bold brief bright broad cheap clear cold cool dark deep dry early easy empty exact fast
        final fixed flat free fresh full gentle global grand green happy hard heavy high hot huge large late
        lazy light local long loud low main manual medium mild narrow new normal old open orange own pale
        plain pink private public purple quick quiet rapid rare raw red rich rough round safe sharp short
        simple slow small smart smooth soft solid special square standard static steep strict strong sweet
        tall thick thin tiny tough urgent warm weak wet white wide wild yellow young
        """
    ),
    "eval": _words(
        """
        bare calm crude daring decent delicate enormous fancy foggy graceful hollow keen legal mobile
        nervous prompt pure shiny sleek sour sturdy
        """
    ),
}
FIRST: dict[Split, tuple[str, ...]] = {
    "train": _words(
        """
        Alice Bob Carol David Erin Frank Grace Henry Ivy Jack Karen Leo Mona Nina Oscar Paula Quinn Rosa Sam
        Tina Uma Victor Wendy Xavier Yara Zoe Emma Noah Mia Liam Olga Hugo Ines Jonas Karin Pavel Tomas Lars
        Ravi Dora Anna Ben Clara Dirk Elena Felix Gina Hans Irma Jan Kofi Lena Marco Nora
        """
    ),
    "eval": _words(
        """
        Ada Bella Bianca Daria Ebba Greta Hana Hazel Hector Ida Igor Isaac Katja Klaus Mateo Ramona Rita
        Robin Sandro Ugo Vito
        """
    ),
}
CITIES: dict[Split, tuple[str, ...]] = {
    "train": _words(
        """
        Oslo Paris Lisbon London Madrid Berlin Rome Vienna Prague Dublin Athens Cairo Lagos Nairobi Tokyo
        Delhi Lima Quito Havana Boston Austin Toronto Sydney Zurich Geneva Milan Munich Hamburg Porto Warsaw
        Helsinki Riga Seoul Osaka Lyon Nice Turin Basel Ghent Leeds Dakar Accra
        """
    ),
    "eval": _words(
        """
        Bergen Cork Durban Fez Jaipur Kazan Lille Malaga Malmo Manila Muscat Naples Reno Utrecht
        """
    ),
}
LISTED = frozenset(
    word.lower() for lists in (VERBS, NOUNS, ADJECTIVES, FIRST, CITIES) for words in lists.values() for word in words
)
"""Every English word that is a value or names something: the tokenizer must not know the training ones better."""
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
LANGUAGES = ("French", "German", "Spanish", "Italian", "Dutch", "Japanese", "Polish", "Greek")
UNITS = ("km", "miles", "kg", "pounds", "meters", "feet", "liters", "cups")

_ONSETS = _words("b br c ch cl d dr f fl g gr h j k kl l m n p pl pr qu r s sh sk sl st t tr v w y z")
_NUCLEI = _words("a a e e i i o o u u ai ea io ou ee")
_CODAS = ["", "", "", "", "n", "r", "l", "s", "m", "t", "k", "x", "nd", "rt", "ck"]
_SYLLABLES = _words(
    """
    as ber bur cas del dor el fen gri hol ja ka lin lo mar mi nia no pra pu que ra sha sol ten tor un vi wo zan
    """
)


def split_of(word: str) -> Split:
    """Which split a made-up word belongs to: one in eight is for scoring."""
    return "eval" if zlib.crc32(word.lower().encode()) % 8 == 0 else "train"


@functools.cache
def fragments() -> tuple[str, ...]:
    """Every run of letters that is a token. A token that is never copied in training cannot be copied afterwards."""
    tokens = json.loads(TOKENIZER.read_text(encoding="utf-8"))["model"]["vocab"] if TOKENIZER.exists() else {}
    found = {token.removeprefix("Ġ").lower() for token in tokens}
    return tuple(sorted(token for token in found if len(token) > 1 and token.isascii() and token.isalpha()))


def made_up(rng: Random, split: Split, *, plain: bool = False) -> str:
    """A word that nobody knows, in small letters; `plain`: of the first model's thirty syllables."""
    while True:
        if plain:
            word = "".join(rng.choice(_SYLLABLES) for _ in range(rng.choice((2, 2, 3))))
        elif fragments() and rng.random() < 0.35:
            word = "".join(rng.choice(fragments()) for _ in range(rng.choice((1, 2, 2, 3))))
        else:
            word = "".join(
                rng.choice(_ONSETS) + rng.choice(_NUCLEI) + rng.choice(_CODAS)
                for _ in range(rng.choice((1, 2, 2, 2, 3)))
            )
        if 2 < len(word) < 13 and split_of(word) == split and (split == "train" or word not in LISTED):
            return word


_ACCENTED = {
    "a": "áàâäãåąă",
    "e": "éèêëęě",
    "i": "íìîïı",
    "o": "óòôöõøő",
    "u": "úùûüűů",
    "n": "ñńň",
    "c": "çćč",
    "s": "šśß",
    "z": "žźż",
    "l": "ł",
    "g": "ğ",
    "d": "đ",
}
_SCRIPTS = (
    (0x3B1, 0x3C9),
    (0x430, 0x44F),
    (0x410, 0x42F),
    (0x5D0, 0x5EA),
    (0x627, 0x64A),
    (0x3041, 0x3096),
    (0x30A1, 0x30FA),
    (0x4E00, 0x9FA5),
    (0xAC00, 0xD7A3),
    (0x1F600, 0x1F64F),
)
"""Greek, Cyrillic (small and capital), Hebrew, Arabic, the Kanas, Han, Hangul, faces: first and last character."""
_SIGNED = _words("#{} ${} {}% {}+ {}++ {}'s ({}) {}&{} {}/{} {}* ~{} {}! {}_{} {}|{} <{}> [{}] {}={}")


def foreign(rng: Random, split: Split) -> str:
    """A word with accents, in another script, or with signs in it."""
    while True:
        kind = rng.random()
        if kind < 0.5:
            word = "".join(
                rng.choice(_ACCENTED[c]) if c in _ACCENTED and rng.random() < 0.4 else c for c in made_up(rng, split)
            )
            word = word.capitalize() if rng.random() < 0.6 else word
        elif kind < 0.75:
            low, high = rng.choice(_SCRIPTS)
            word = "".join(chr(rng.randrange(low, high + 1)) for _ in range(rng.randrange(1, 7)))
        else:
            word = rng.choice(_SIGNED).format(made_up(rng, split), made_up(rng, split))
        if split_of(word) == split:
            return word


def noun(rng: Random, split: Split) -> str:
    """A thing; every third one is made up."""
    return made_up(rng, split) if rng.random() < 0.35 else rng.choice(NOUNS[split])


def verb(rng: Random, split: Split) -> str:
    """Something to do; every fifth is made up."""
    return made_up(rng, split) if rng.random() < 0.2 else rng.choice(VERBS[split])


def adjective(rng: Random, split: Split) -> str:
    """How something is."""
    return made_up(rng, split) if rng.random() < 0.2 else rng.choice(ADJECTIVES[split])


def proper(rng: Random, split: Split, known: dict[Split, tuple[str, ...]], *, plain: bool = False) -> str:
    """A name: of the list `known`, or a made-up one (more often)."""
    if rng.random() < 0.35:
        return rng.choice(known[split])
    return made_up(rng, split, plain=plain).capitalize()


def third(word: str) -> str:
    """The verb's third person: `books`, `searches`, `copies`."""
    if word.endswith(("s", "sh", "ch", "x", "z")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    return word + "s"


def a(word: str) -> str:
    """The word with its indefinite article."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"
