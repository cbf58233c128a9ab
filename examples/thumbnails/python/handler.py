"""Fits each picture of an S3 event into a 150x150 box and stores it as WebP in the target bucket."""

import io
import os
from urllib.parse import unquote_plus

import boto3
from PIL import Image, ImageOps

s3 = boto3.client("s3")
TARGET = os.environ["TARGET_BUCKET"]


def handler(event, context):
    thumbnails = []
    for record in event["Records"]:
        # Keys in S3 events are URL-encoded, with + for a space.
        key = unquote_plus(record["s3"]["object"]["key"])
        original = s3.get_object(Bucket=record["s3"]["bucket"]["name"], Key=key)
        with Image.open(io.BytesIO(original["Body"].read())) as picture:
            thumbnail = ImageOps.exif_transpose(picture)
            thumbnail.thumbnail((150, 150))
            encoded = io.BytesIO()
            thumbnail.save(encoded, format="WEBP", quality=85)
        thumbnail_key = f"{key}.webp"
        s3.put_object(Bucket=TARGET, Key=thumbnail_key, Body=encoded.getvalue(), ContentType="image/webp")
        print(f"{key} -> {TARGET}/{thumbnail_key}, {encoded.tell()} bytes")
        thumbnails.append(thumbnail_key)
    return {"thumbnails": thumbnails}
