#!/usr/bin/env python3
"""Print C files as "file:line: code", without comments and strings."""
import re
import sys

TOKEN = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\\n])*"|'
                   r"'(?:\\.|[^'\\\n])*'", re.S)


def blank(match):
    """Keep the lines, drop what stands on them."""
    return '\n' * match.group(0).count('\n') or ' '


for name in sys.argv[1:]:
    with open(name, encoding='utf-8') as f:
        text = TOKEN.sub(blank, f.read())
    for number, line in enumerate(text.split('\n'), 1):
        if line.strip():
            print(f'{name}:{number}: {line}')
