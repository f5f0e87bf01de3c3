"""A Pulumi backend in an S3-compatible bucket, read with boto3."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

from infra.errors import ToolError

CONNECTIONS = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketAddress:
    """What a backend address says: `s3://bucket/prefix?region=…&endpoint=…&s3ForcePathStyle=true`."""

    bucket: str
    prefix: str = ""
    region: str | None = None
    endpoint: str | None = None
    profile: str | None = None
    is_path_style: bool = False

    @classmethod
    def parse(cls, url: str) -> BucketAddress:
        """Return the parts of `url`; an endpoint without a scheme is https unless SSL is switched off."""
        parts = urlsplit(url)
        asked = {name.lower(): values[-1] for name, values in parse_qs(parts.query).items()}
        endpoint = asked.get("endpoint")
        if endpoint and "://" not in endpoint:
            is_plain = "true" in {asked.get("disablessl"), asked.get("disable_https")}
            endpoint = f"{'http' if is_plain else 'https'}://{endpoint}"
        return cls(
            bucket=parts.netloc,
            prefix=parts.path.strip("/"),
            region=asked.get("region"),
            endpoint=endpoint,
            profile=asked.get("profile"),
            is_path_style="true" in {asked.get("s3forcepathstyle"), asked.get("use_path_style")},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BucketStore:
    """The files of a bucket."""

    address: BucketAddress
    client: Any = field(repr=False)
    errors: tuple[type[Exception], ...]

    @classmethod
    def open(cls, url: str) -> BucketStore:
        """Return the bucket behind `url`, with the credentials that the AWS environment gives."""
        address = BucketAddress.parse(url)
        # Loaded here: it takes half a second, and few stacks keep their state in a bucket.
        boto3 = importlib.import_module("boto3")
        exceptions = importlib.import_module("botocore.exceptions")
        config = importlib.import_module("botocore.config").Config(
            max_pool_connections=CONNECTIONS,
            s3={"addressing_style": "path" if address.is_path_style else "auto"},
        )
        session = boto3.session.Session(profile_name=address.profile, region_name=address.region)
        return cls(
            address=address,
            client=session.client("s3", endpoint_url=address.endpoint, config=config),
            errors=(exceptions.BotoCoreError, exceptions.ClientError),
        )

    def names(self, folder: str) -> list[str]:
        """Return the names of the files directly in `folder`."""
        prefix = f"{self._key(folder)}/"
        pages = self.client.get_paginator("list_objects_v2").paginate(
            Bucket=self.address.bucket, Prefix=prefix, Delimiter="/"
        )
        try:
            return [found["Key"].removeprefix(prefix) for page in pages for found in page.get("Contents", [])]
        except self.errors as error:
            raise self._failed(error, folder) from None

    def read(self, path: str) -> bytes:
        """Return one file."""
        try:
            content: bytes = self.client.get_object(Bucket=self.address.bucket, Key=self._key(path))["Body"].read()
        except self.errors as error:
            raise self._failed(error, path) from None
        return content

    def _key(self, path: str) -> str:
        return f"{self.address.prefix}/{path}" if self.address.prefix else path

    def _failed(self, error: Exception, where: str) -> ToolError:
        """Return what boto3 raised as ours."""
        return ToolError(
            f"the backend's bucket {self.address.bucket} cannot be read: {type(error).__name__}: {error}",
            where=where,
            mend="are the AWS credentials set, and is the endpoint right?",
        )
