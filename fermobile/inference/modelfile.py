"""A ``.tflite`` from outside: its bytes checked, its contract read."""

from __future__ import annotations

import hashlib
import io
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path

from ..contract import CONTRACT_FILE, ModelContract
from ..errors import ContractError, ModelFileError
from .graph import read_model

#: A contract is a few kilobytes; a damaged or hostile zip may claim anything.
_MAX_CONTRACT_BYTES = 1 << 20


@dataclass(frozen=True)
class ModelFile:
    """A checked file: where it came from, its bytes, their sha256, and the contract inside."""

    path: Path
    data: bytes
    sha256: str
    contract: ModelContract


def check_tflite(data: bytes) -> None:
    """Refuse bytes that an interpreter must not see.

    An interpreter trusts the offsets in a file and reads wherever they point, so a truncated or damaged file can
    end the process.  Whether the numbers in it make sense is not looked at.

    Raises:
        ModelFileError: it is not a TFLite flatbuffer, or it is truncated or damaged; says what and where.
    """
    if not data:
        raise ModelFileError("the file is empty")
    read_model(data)


def read_contract(source: Path | str | bytes, name: str = "the file") -> ModelContract:
    """The contract in the zip that stands behind the flatbuffer of an exported file.

    Args:
        source: a path, or the bytes of the file.
        name: what messages call the file when ``source`` is bytes.
    Raises:
        ContractError: there is no contract inside, or it cannot be read.
        OSError: the file cannot be opened.
    """
    data = source if isinstance(source, bytes) else Path(source).read_bytes()
    where = name if isinstance(source, bytes) else str(source)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            entry = archive.getinfo(CONTRACT_FILE)
            if entry.file_size > _MAX_CONTRACT_BYTES:
                raise ContractError(f"{where}: its {CONTRACT_FILE} claims {entry.file_size} bytes")
            text = archive.read(entry)
    except (zipfile.BadZipFile, zlib.error, KeyError, EOFError, NotImplementedError, RuntimeError, ValueError) as error:
        if "not a zip" in str(error) and CONTRACT_FILE.encode() in data:  # its metadata name it, but it has no end
            raise ContractError(
                f"{where} is cut off: the end of the archive with its {CONTRACT_FILE} is missing; copy it again, "
                "or write it again with fermobile export"
            ) from None
        raise ContractError(
            f"{where} has no fermobile contract ({_reason(error)}), so nothing says what its numbers mean: "
            "fermobile export writes it"
        ) from None
    try:
        return ModelContract.from_json(text)
    except ContractError as error:
        raise ContractError(f"{where}: {error}") from None


def load_model_file(path: Path | str) -> ModelFile:
    """Read a ``.tflite``, check its structure and read its contract.

    Raises:
        ModelFileError: the file is missing, is not a ``.tflite``, or is truncated or damaged.
        ContractError: it has no contract.
    """
    path = Path(path)
    data = read_tflite(path)
    return ModelFile(path, data, hashlib.sha256(data).hexdigest(), read_contract(data, str(path)))


def read_tflite(path: Path) -> bytes:
    """The bytes of a file that passed ``check_tflite``.

    Raises:
        ModelFileError: the file is missing or fails the check.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ModelFileError(f"{path}: {error.strerror}") from None
    try:
        check_tflite(data)
    except ModelFileError as error:
        raise ModelFileError(f"{path} is not a usable .tflite: {error}") from None
    return data


def _reason(error: Exception) -> str:
    if isinstance(error, KeyError):
        return f"its metadata holds no {CONTRACT_FILE}"
    return "no metadata is appended to it" if "not a zip" in str(error) else f"its metadata is damaged: {error}"
