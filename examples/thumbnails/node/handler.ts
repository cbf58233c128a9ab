import { GetObjectCommand, PutObjectCommand, S3Client } from '@aws-sdk/client-s3';
import type { S3Event } from 'aws-lambda';
import sharp from 'sharp';

const s3 = new S3Client({});
const target = process.env.TARGET_BUCKET;

/** Fits each picture of the event into a 150×150 box and stores it as WebP in the target bucket. */
export async function handler(event: S3Event): Promise<{ thumbnails: string[] }> {
  const thumbnails: string[] = [];
  for (const record of event.Records) {
    // Keys in S3 events are URL-encoded, with + for a space.
    const key = decodeURIComponent(record.s3.object.key.replaceAll('+', ' '));
    const original = await s3.send(new GetObjectCommand({ Bucket: record.s3.bucket.name, Key: key }));
    const thumbnail = await sharp(await original.Body!.transformToByteArray())
      .rotate()
      .resize(150, 150, { fit: 'inside', withoutEnlargement: true })
      .webp({ quality: 85 })
      .toBuffer();
    const thumbnailKey = `${key}.webp`;
    await s3.send(
      new PutObjectCommand({ Bucket: target, Key: thumbnailKey, Body: thumbnail, ContentType: 'image/webp' }),
    );
    console.log(`${key} -> ${target}/${thumbnailKey}, ${thumbnail.length} bytes`);
    thumbnails.push(thumbnailKey);
  }
  return { thumbnails };
}
