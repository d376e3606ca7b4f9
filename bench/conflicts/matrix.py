# SPDX-License-Identifier: MIT OR GPL-2.0-only
"""The matrices, from the lines of JSON that vmarea-conflicts prints."""

PLACES = {
    "mm": "in one address space",
    "mms": "in two address spaces of one instance",
    "instances": "in two instances",
}


def cell(row):
    if not row["commutes"]:
        return "-"
    if not row["ww"] and not row["wr"]:
        return "."
    return f"{row['ww']}+{row['wr']}"


def show(rows):
    """Calls that share nothing with any other are named below, not drawn."""
    by_pair = {}
    names = []
    for row in rows:
        x, y = row["conflict"]
        by_pair[x, y] = by_pair[y, x] = row
        if x not in names:
            names.append(x)
    alone = [x for x in names
             if all(cell(by_pair[x, y]) == "." for y in names)]
    names = [name for name in names if name not in alone]
    if names:
        width = max(map(len, names)) + 3
        print(" " * width + "".join(f"{i + 1:>5}" for i in range(len(names))))
        for i, x in enumerate(names):
            cells = "".join(f"{cell(by_pair[x, y]):>5}" for y in names[:i + 1])
            print(f"{i + 1:>2} {x:<{width - 3}}{cells}")
    if alone:
        print("no line with any call: " + ", ".join(alone))


def show_all(rows):
    print("\ncache lines that two calls share: a+b, a written by both, b written by one and read by the\n"
          "other; . none; - the calls do not commute.  vmarea-conflicts --details names them.")
    for place, text in PLACES.items():
        mine = [row for row in rows if row["place"] == place]
        if mine:
            print(f"\n{text}")
            show(mine)
