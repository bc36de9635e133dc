"""Build the example papers: a folder as a source might hand it over, with tables, a letter, a picture, an old archive.

python examples/papers.py            # write examples/papers/
python examples/papers.py --check    # fail when a file is not what would be written

The same text gives the same bytes.
"""

import argparse
import csv
import io
import struct
import sys
import zipfile
import zlib
from collections import Counter
from email.message import EmailMessage
from pathlib import Path
from xml.sax.saxutils import escape

PAPERS = Path(__file__).parent / "papers"

STATIONS = """\
Station;Operator;Country;Town;First connected;Website
Almaraz;Centrales Nucleares Almaraz-Trillo;Spain;Almaraz;1981;https://www.cnat.es/
Ascó;Asociación Nuclear Ascó-Vandellós II;Spain;Ascó;1983;https://www.anav.es/
Beznau;Axpo Power;Switzerland;Döttingen;1969;https://www.axpo.com/
Bohunice;Slovenské elektrárne;Slovakia;Jaslovské Bohunice;1984;https://www.seas.sk/
Borssele;EPZ;Netherlands;Borssele;1973;https://www.epz.nl/
Bugey;EDF;France;Saint-Vulbas;1978;https://www.edf.fr/
Cattenom;EDF;France;Cattenom;1986;https://www.edf.fr/
Cernavoda;Nuclearelectrica;Romania;Cernavoda;1996;https://www.nuclearelectrica.ro/
Cofrentes;Iberdrola;Spain;Cofrentes;1984;https://www.iberdrola.com/
Dukovany;CEZ;Czechia;Dukovany;1985;https://www.cez.cz/
Flamanville;EDF;France;Flamanville;1985;https://www.edf.fr/
Forsmark;Forsmarks Kraftgrupp;Sweden;Östhammar;1980;https://group.vattenfall.com/
Gösgen;Kernkraftwerk Gösgen-Däniken;Switzerland;Däniken;1979;https://www.kkg.ch/
Gravelines;EDF;France;Gravelines;1980;https://www.edf.fr/
Heysham;EDF Energy;United Kingdom;Heysham;1983;https://www.edfenergy.com/
Kozloduy;Kozloduy NPP;Bulgaria;Kozloduy;1974;https://www.kznpp.org/
Krško;Nuklearna elektrarna Krško;Slovenia;Krško;1981;https://www.nek.si/
Leibstadt;Kernkraftwerk Leibstadt;Switzerland;Leibstadt;1984;https://www.kkl.ch/
Loviisa;Fortum;Finland;Loviisa;1977;https://www.fortum.com/
Mochovce;Slovenské elektrárne;Slovakia;Kalná nad Hronom;1998;https://www.seas.sk/
Olkiluoto;Teollisuuden Voima;Finland;Eurajoki;1978;https://www.tvo.fi/
Oskarshamn;OKG;Sweden;Oskarshamn;1971;https://www.okg.se/
Paks;MVM Paks;Hungary;Paks;1982;https://www.atomeromu.mvm.hu/
Paluel;EDF;France;Paluel;1984;https://www.edf.fr/
Ringhals;Ringhals AB;Sweden;Varberg;1974;https://group.vattenfall.com/
Sizewell B;EDF Energy;United Kingdom;Leiston;1995;https://www.edfenergy.com/
Temelín;CEZ;Czechia;Temelín;2000;https://www.cez.cz/
Tihange;Electrabel;Belgium;Huy;1975;https://www.electrabel.be/
"""
"""Power stations: general knowledge, by hand; a semicolon between cells, as spreadsheets in Europe write it."""

GRID_OPERATORS = [
    ("Name", "Country", "Website"),
    ("50Hertz Transmission", "Germany", "https://www.50hertz.com/"),
    ("Amprion", "Germany", "https://www.amprion.net/"),
    ("Austrian Power Grid", "Austria", "https://www.apg.at/"),
    ("ČEPS", "Czechia", "https://www.ceps.cz/"),
    ("EirGrid", "Ireland", "https://www.eirgrid.ie/"),
    ("Elering", "Estonia", "https://elering.ee/"),
    ("ELES", "Slovenia", "https://www.eles.si/"),
    ("Elia", "Belgium", "https://www.elia.be/"),
    ("Energinet", "Denmark", "https://energinet.dk/"),
    ("Fingrid", "Finland", "https://www.fingrid.fi/"),
    ("HOPS", "Croatia", "https://www.hops.hr/"),
    ("Litgrid", "Lithuania", "https://www.litgrid.eu/"),
    ("MAVIR", "Hungary", "https://www.mavir.hu/"),
    ("PSE", "Poland", "https://www.pse.pl/"),
    ("Red Eléctrica", "Spain", "https://www.ree.es/"),
    ("REN", "Portugal", "https://www.ren.pt/"),
    ("RTE", "France", "https://www.rte-france.com/"),
    ("SEPS", "Slovakia", "https://www.sepsas.sk/"),
    ("Statnett", "Norway", "https://www.statnett.no/"),
    ("Svenska kraftnät", "Sweden", "https://www.svk.se/"),
    ("Swissgrid", "Switzerland", "https://www.swissgrid.ch/"),
    ("TenneT TSO", "Netherlands", "https://www.tennet.eu/"),
    ("Terna", "Italy", "https://www.terna.it/"),
    ("Transelectrica", "Romania", "https://www.transelectrica.ro/"),
    ("TransnetBW", "Germany", "https://www.transnetbw.de/"),
    ("ΑΔΜΗΕ", "Greece", "https://www.admie.gr/"),
]
"""Operators of transmission grids: general knowledge, by hand."""

NOTE = """\
What is in this folder

registers/stations.csv          power stations, as exported from a spreadsheet (Windows-1252, semicolons)
registers/grid operators.xlsx   who operates the transmission grids
figures/                        the same counted, as a picture and on a page
letters/                        the letter that came with it
old/handed over before.zip      what was handed over before
"""

GLOSSARY = """\
power station   centrale nucléaire · Kernkraftwerk · elektrárna · ydinvoimalaitos · атомна електроцентрала
grid operator   gestionnaire de réseau · Netzbetreiber · provozovatel soustavy · kantaverkkoyhtiö · преносен оператор
"""

# an account of the kind that standards print, and a number that is kept for films
LETTER = """\
Good morning,

enclosed are the two registers that you asked for. The list of stations comes from our spreadsheet; where a town is
spelled in two ways we kept the local one. The older archive is there for comparison only.

The fee for copies may be paid to GB33 BUKB 2020 1555 5555 55. For questions, ring +44 20 7946 0958.

Kind regards
The records office
"""

_DAY = (2026, 3, 2, 9, 30, 0)


def build() -> dict[str, bytes]:
    """Every file by its path below `papers/`."""
    rows = list(csv.DictReader(io.StringIO(STATIONS), delimiter=";"))
    counts = sorted(Counter(row["Country"] for row in rows).items(), key=lambda found: (-found[1], found[0]))
    first = "\n".join(
        line for line in STATIONS.splitlines() if line.split(";")[4] < "1980" or "Station;" in line
    )
    return {
        "notes/read me.txt": NOTE.encode(),
        "notes/glossary.txt": GLOSSARY.encode(),
        "registers/stations.csv": STATIONS.replace("\n", "\r\n").encode("cp1252"),
        "registers/grid operators.xlsx": _workbook(GRID_OPERATORS),
        "figures/stations by country.png": _bars([count for _, count in counts]),
        "figures/stations by country.pdf": one_page([f"{country}: {count}" for country, count in counts]),
        "letters/2026-03-02 registers enclosed.eml": _letter(),
        "old/handed over before.zip": _zip(
            {"stations before 1980.csv": f"{first}\n".encode("cp1252"), "note.txt": b"Superseded.\n"}
        ),
    }


def _zip(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            # stored, not compressed: what zlib makes of it differs between its versions
            archive.writestr(zipfile.ZipInfo(name, _DAY), content)
    return data.getvalue()


def _workbook(rows: list[tuple[str, ...]]) -> bytes:
    """The smallest workbook that a spreadsheet program opens: one sheet of texts."""
    package = "http://schemas.openxmlformats.org/package/2006"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    sheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    kind = "application/vnd.openxmlformats-officedocument.spreadsheetml"
    cells = "".join(
        f'<row r="{number}">'
        + "".join(
            f'<c r="{chr(ord("A") + place)}{number}" t="inlineStr"><is><t>{escape(text)}</t></is></c>'
            for place, text in enumerate(row)
        )
        + "</row>"
        for number, row in enumerate(rows, 1)
    )
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        f'<Override PartName="/xl/workbook.xml" ContentType="{kind}.sheet.main+xml"/>'
        f'<Override PartName="/xl/worksheets/sheet1.xml" ContentType="{kind}.worksheet+xml"/></Types>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{sheet}" xmlns:r="{office}">'
        '<sheets><sheet name="operators" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="r1" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{sheet}"><sheetData>{cells}</sheetData></worksheet>',
    }
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    return _zip({name: (head + text).encode() for name, text in parts.items()})


def _bars(counts: list[int]) -> bytes:
    """A bar chart as PNG, two colours."""
    step, height = 24, 20 * max(counts) + 20
    width = step * len(counts) + 8
    lines = []
    for y in range(height):
        line = bytearray(b"\xff" * width)
        for number, count in enumerate(counts):
            if height - 10 - 20 * count <= y < height - 10:
                line[8 + number * step : 8 + number * step + 16] = b"\x50" * 16
        lines.append(b"\0" + bytes(line))
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    # level 0, for the same reason as in the archive
    image = zlib.compress(b"".join(lines), 0)
    chunks = ((b"IHDR", header), (b"IDAT", image), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in chunks
    )


def one_page(lines: list[str]) -> bytes:
    """One page of text as PDF."""
    text = "BT /F 12 Tf 72 770 Td 18 TL " + " ".join(f"({line}) Tj T*" for line in lines) + " ET"
    objects = [
        "<< /Type /Catalog /Pages 2 0 R >>",
        "<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R"
        " /Resources << /Font << /F << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>",
        f"<< /Length {len(text)} >>\nstream\n{text}\nendstream",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += f"{number} 0 obj\n{content}\nendobj\n".encode("ascii")
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    end = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    end += f"trailer\n<< /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(data)}\n%%EOF\n"
    return data + end.encode("ascii")


def _letter() -> bytes:
    message = EmailMessage()
    message["From"] = "Records office <records@example.org>"
    message["To"] = "desk@example.com"
    message["Date"] = "Mon, 02 Mar 2026 09:30:00 +0000"
    message["Subject"] = "Registers enclosed"
    message["Message-ID"] = "<20260302.registers@example.org>"
    message.set_content(LETTER)
    return message.as_bytes()


def main(arguments: list[str] | None = None) -> int:
    """Write the files, or with `--check` compare them; 1 when one differs."""
    parser = argparse.ArgumentParser(description="Build the example papers.")
    parser.add_argument("--check", action="store_true", help="compare only, write nothing")
    check = parser.parse_args(arguments).check
    differing = 0
    for name, data in build().items():
        path = PAPERS / name
        if check and (not path.exists() or path.read_bytes() != data):
            differing += 1
            print(f"{path} is not what examples/papers.py writes; run it", file=sys.stderr)
        elif not check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    return 1 if differing else 0


if __name__ == "__main__":
    sys.exit(main())
