"""S3's answers in XML, as S3 writes them."""

from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree import ElementTree as ET

from backups.storage.relay.pages import Asked, Page
from backups.storage.relay.refusals import S3Error
from backups.storage.s3 import ObjectRef

NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"
OWNER = "relay"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def error_document(error: S3Error, *, resource: str, request_id: str) -> bytes:
    root = ET.Element("Error")
    _texts(root, Code=error.code, Message=str(error), Resource=resource, RequestId=request_id)
    return _written(root)


def location_document(region: str) -> bytes:
    root = ET.Element("LocationConstraint", xmlns=NAMESPACE)
    # The oldest region has no name here.
    root.text = None if region == "us-east-1" else region
    return _written(root)


def versioning_document() -> bytes:
    return _written(ET.Element("VersioningConfiguration", xmlns=NAMESPACE))


def buckets_document(bucket: str) -> bytes:
    root = ET.Element("ListAllMyBucketsResult", xmlns=NAMESPACE)
    _owner(root)
    entry = ET.SubElement(ET.SubElement(root, "Buckets"), "Bucket")
    _texts(entry, Name=bucket, CreationDate=_time(EPOCH))
    return _written(root)


def listing_document(bucket: str, asked: Asked, page: Page) -> bytes:
    """Write a page of either version of ListObjects."""
    root = ET.Element("ListBucketResult", xmlns=NAMESPACE)
    _texts(root, Name=bucket, Prefix=_name(asked.prefix, asked))
    if asked.version == 2:  # noqa: PLR2004 - the API's version
        _tell_place_v2(root, asked, page)
    else:
        _tell_place_v1(root, asked, page)
    _texts(root, MaxKeys=str(asked.max_keys), IsTruncated=str(page.is_truncated).lower())
    if asked.delimiter:
        _texts(root, Delimiter=_name(asked.delimiter, asked))
    if asked.encode:
        _texts(root, EncodingType="url")
    for ref in page.objects:
        _entry(root, ref, asked)
    for prefix in page.prefixes:
        _texts(ET.SubElement(root, "CommonPrefixes"), Prefix=_name(prefix, asked))
    return _written(root)


def _tell_place_v2(root: ET.Element, asked: Asked, page: Page) -> None:
    if asked.token:
        _texts(root, ContinuationToken=asked.token)
    if asked.after:
        _texts(root, StartAfter=_name(asked.after, asked))
    if page.is_truncated:
        _texts(root, NextContinuationToken=page.next_token)
    _texts(root, KeyCount=str(len(page.objects) + len(page.prefixes)))


def _tell_place_v1(root: ET.Element, asked: Asked, page: Page) -> None:
    _texts(root, Marker=_name(asked.after, asked))
    # Without a delimiter, a client goes on after the last key that it got.
    if page.is_truncated and asked.delimiter:
        _texts(root, NextMarker=_name(page.last, asked))


def _entry(root: ET.Element, ref: ObjectRef, asked: Asked) -> None:
    entry = ET.SubElement(root, "Contents")
    _texts(
        entry,
        Key=_name(ref.key, asked),
        LastModified=_time(ref.modified_at or EPOCH),
        ETag=f'"{ref.etag}"',
        Size=str(ref.size),
    )
    if asked.fetch_owner:
        _owner(entry)
    _texts(entry, StorageClass="STANDARD")


def _owner(parent: ET.Element) -> None:
    _texts(ET.SubElement(parent, "Owner"), ID=OWNER, DisplayName=OWNER)


def _texts(parent: ET.Element, **texts: str) -> None:
    for tag, text in texts.items():
        ET.SubElement(parent, tag).text = text


def _name(text: str, asked: Asked) -> str:
    return quote(text, safe="/-_.~*") if asked.encode else text


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def _written(root: ET.Element) -> bytes:
    written: bytes = ET.tostring(root, encoding="UTF-8", xml_declaration=True)
    return written
