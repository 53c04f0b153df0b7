"""Writes forms.txt, the table behind UnicodeForms.cs, from Python's own Unicode database.

Run: python3 make-forms.py > forms.txt
Lines, all numbers hexadecimal:
  C a b [c]   code point a has the canonical decomposition b (and c)
  P a b c     the same, and b c composes to a
  K a b ...   code point a has the compatibility decomposition b ...
  M n a b     code points a to b have the canonical combining class n
"""
import unicodedata as u

print(f"# Made by make-forms.py, Unicode {u.unidata_version}. Hangul syllables are computed, not listed.")
classes = []
for c in range(0x110000):
    char = chr(c)
    parts = u.decomposition(char).split()
    if parts and parts[0].startswith("<"):
        print("K", f"{c:X}", *(p.lstrip("0") for p in parts[1:]))
    elif parts:
        composes = len(parts) == 2 and u.normalize("NFC", char) == char
        print("P" if composes else "C", f"{c:X}", *(p.lstrip("0") for p in parts))
    order = u.combining(char)
    if order and classes and classes[-1][0] == order and classes[-1][2] == c - 1:
        classes[-1][2] = c
    elif order:
        classes.append([order, c, c])
for order, first, last in classes:
    print("M", f"{order:X}", f"{first:X}", f"{last:X}")
