"""DICOMweb of an archive, passed on: pictures as they stream in, lists and headers after a look at them."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from urllib.parse import urlencode, urlsplit

import httpx
from anyio import to_thread
from starlette.responses import Response, StreamingResponse

from spine_fracture.errors import InputError, RemoteError, UnsureError
from spine_fracture.server.archive import Credentials
from spine_fracture.server.dicomweb import multipart
from spine_fracture.server.dicomweb.addresses import SEARCHES, What
from spine_fracture.server.dicomweb.attributes import Attributes
from spine_fracture.server.dicomweb.hiding import allowed_query, hide
from spine_fracture.server.dicomweb.listed import listed_rows
from spine_fracture.server.dicomweb.pictures import Pictures
from spine_fracture.server.dicomweb.stow import SentReport, is_refusal
from spine_fracture.server.dicomweb.web import ASK_AGAIN, JSON, KEEP, Question, gone

_TIMEOUT = httpx.Timeout(60.0, connect=5.0)
#: An archive that a browser talks to directly closes idle connections early; so they are not kept long.
_LIMITS = httpx.Limits(max_connections=40, max_keepalive_connections=40, keepalive_expiry=0.8)
#: The largest list or header that is taken into memory, in bytes.
_LARGEST_JSON = 256 * 2**20
#: Types that a browser shows harmlessly; another is handed on as bytes.
_HARMLESS = frozenset(
    {"multipart/related", "application/dicom", "application/octet-stream", "image/jpeg", "image/png"}
)
_TRIES = 2


@dataclass(eq=False)
class ArchiveWeb:
    """``root`` is the address of the service that stands behind ours, ``ours`` the path that ours has."""

    root: str
    ours: str
    pictures: Pictures
    credentials: Credentials | None = None
    _client: httpx.AsyncClient = field(init=False)

    def __post_init__(self) -> None:
        given = self.credentials
        self._client = httpx.AsyncClient(
            auth=(given.user, given.password) if given else None,
            follow_redirects=False,
            timeout=_TIMEOUT,
            limits=_LIMITS,
            trust_env=False,
        )

    async def close(self) -> None:
        await self._client.aclose()

    async def answer(self, question: Question) -> Response:
        address = question.address
        if address.what in SEARCHES or address.what is What.METADATA:
            return await self._list(question)
        is_picture = await to_thread.run_sync(
            self.pictures.shows, address.study, address.series, address.instance
        )
        if question.pictures_only and not is_picture:
            raise gone()
        accept = question.accept or "*/*"
        answer = await self._ask(address.path, question, accept)
        return StreamingResponse(
            _body(answer),
            headers={
                "Content-Type": _harmless(answer.headers.get("content-type", "")),
                "Cache-Control": KEEP if is_picture else ASK_AGAIN,
            },
        )

    async def store(self, report: SentReport) -> None:
        message = multipart.join([report.data], "application/dicom")
        headers = {"Content-Type": message.content_type, "Accept": JSON}
        try:
            answer = await self._client.post(f"{self.root}/studies", content=message.body, headers=headers)
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            raise self._silent() from error  # it was never sent
        except httpx.HTTPError as error:
            raise self._unsure() from error
        if answer.is_server_error:
            raise self._unsure()
        if answer.status_code not in (200, 202) or is_refusal(answer.content):
            raise InputError(
                f"The archive at {self._host} refused the report (HTTP {answer.status_code}): it was not "
                "stored. Tell whoever runs the archive, and save it again."
            )

    async def _list(self, question: Question) -> Response:
        address = question.address
        answer = await self._ask(address.path, question, JSON)
        try:
            if answer.status_code == 204:  # nothing matches
                rows: list[Attributes] = []
            else:
                rows = json.loads(await _whole(answer))
        except (ValueError, httpx.HTTPError) as error:
            raise self._silent() from error
        finally:
            await answer.aclose()
        if address.what in SEARCHES:
            rows = listed_rows(rows)
        if question.pictures_only:
            rows = await to_thread.run_sync(hide, rows, question, self.pictures)
            if not rows and address.what is What.METADATA:
                raise gone()
        text = json.dumps(rows, separators=(",", ":"))
        # Addresses of bulk data and of the objects themselves lead to us, not past us.
        return Response(
            text.replace(f'"{self.root}/', f'"{self.ours}/'),
            media_type=JSON,
            headers={"Cache-Control": ASK_AGAIN},
        )

    async def _ask(self, path: str, question: Question, accept: str) -> httpx.Response:
        """The archive's answer, whose body is still to come. Raises :class:`RemoteError`."""
        query = allowed_query(question)
        url = f"{self.root}/{path}" + (f"?{urlencode(query)}" if query else "")
        headers = {"Accept": accept, "Accept-Encoding": "identity"}
        for left in reversed(range(_TRIES)):
            request = self._client.build_request("GET", url, headers=headers)
            try:
                answer = await self._client.send(request, stream=True)
                break
            except httpx.RemoteProtocolError as error:
                # The connection was closed while it lay idle: a fresh one tells whether the archive is there.
                if not left:
                    raise self._silent() from error
            except httpx.HTTPError as error:
                raise self._silent() from error
        if answer.status_code in (200, 204, 206):
            return answer
        await answer.aclose()
        raise self._said(answer.status_code)

    def _silent(self) -> RemoteError:
        return RemoteError(
            f"The archive at {self._host} does not answer, so pictures cannot be shown now. Reads that you "
            "submit are kept here. Try again in a minute, and tell whoever runs the archive if it goes on."
        )

    def _unsure(self) -> UnsureError:
        return UnsureError(
            f"The archive at {self._host} did not say whether it kept the report: look for it in the study "
            "after a minute, and save it again if it is not there."
        )

    def _said(self, status: int) -> Exception:
        if status in (404, 410):
            return gone()
        return RemoteError(
            f"The archive at {self._host} refused a request (HTTP {status}): tell whoever runs the archive."
        )

    @property
    def _host(self) -> str | None:
        return urlsplit(self.root).hostname


async def _body(answer: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in answer.aiter_raw():
            yield piece
    finally:
        await answer.aclose()


async def _whole(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for piece in answer.aiter_raw():
        body += piece
        if len(body) > _LARGEST_JSON:
            raise ValueError("an answer without end")
    return bytes(body)


def _harmless(content_type: str) -> str:
    plain = content_type.split(";")[0].strip().lower()
    return content_type if plain in _HARMLESS else "application/octet-stream"
