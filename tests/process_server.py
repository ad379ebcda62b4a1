"""Runs `train.py` and `inference.py` in two processes of a group, both forked from this one, which imports them once.

Each line of standard input is a JSON list: a folder for the output of both, the script, and its words. The answer is a
line with their exit statuses.
"""

import json
import os
import socket
import sys
import traceback
from pathlib import Path
from typing import NoReturn

import inference
import train
from ner.errors import run_script

MAINS = {"train.py": train.main, "inference.py": inference.main}


def forked(rank: int, port: int, folder: Path, script: str, words: list[str]) -> NoReturn:
    """A process of the group, which ends here; its output goes to the files of both."""
    for number, name in ((1, "out"), (2, "err")):
        os.dup2(os.open(folder / name, os.O_WRONLY | os.O_CREAT | os.O_APPEND), number)
    os.environ |= {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip
    sys.argv, status = [script, *words], 1
    try:
        run_script(MAINS[script])
        status = 0
    except SystemExit as stop:
        status = int(stop.code or 0)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


for line in sys.stdin:
    folder, script, *words = json.loads(line)
    with socket.socket() as reserved:  # nobody else gets its port, on which torch may listen
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        children = []
        for rank in range(2):
            if not (child := os.fork()):
                forked(rank, reserved.getsockname()[1], Path(folder), script, words)
            children.append(child)
        print(json.dumps([os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]), flush=True)
