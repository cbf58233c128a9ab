import {
  CopyObjectCommand,
  DeleteObjectsCommand,
  ListObjectsV2Command,
  paginateListObjectsV2,
  S3Client,
} from '@aws-sdk/client-s3';

const s3 = new S3Client({});
const source = process.env.SOURCE_BUCKET;
const target = process.env.BACKUP_BUCKET;
const retentionDays = Number(process.env.RETENTION_DAYS);

const DAY_MS = 86_400_000;

/**
 * Copies every object of the source bucket below `backups/<day>/` of the backup bucket, then deletes the backups that
 * are older than the retention. `time` is when the schedule was due: a run that comes late still makes its own day's.
 */
export async function handler({ time }: { time: string }): Promise<{ copied: number; deleted: string[] }> {
  const day = time.slice(0, 10);
  let copied = 0;
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: source })) {
    for (const { Key = '' } of page.Contents ?? []) {
      await s3.send(
        new CopyObjectCommand({
          Bucket: target,
          Key: `backups/${day}/${Key}`,
          CopySource: `${source}/${encodeURIComponent(Key)}`,
        }),
      );
      copied++;
    }
  }
  const oldest = new Date(Date.parse(day) - retentionDays * DAY_MS).toISOString().slice(0, 10);
  const { CommonPrefixes } = await s3.send(
    new ListObjectsV2Command({ Bucket: target, Prefix: 'backups/', Delimiter: '/' }),
  );
  const deleted = (CommonPrefixes ?? []).map(({ Prefix = '' }) => Prefix).filter((name) => name < `backups/${oldest}/`);
  for (const prefix of deleted) await deleteAll(prefix);
  console.log(`backed up ${copied} objects of ${day}, deleted ${deleted.length} older backups`);
  return { copied, deleted };
}

async function deleteAll(Prefix: string): Promise<void> {
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: target, Prefix })) {
    const Objects = (page.Contents ?? []).map(({ Key }) => ({ Key }));
    await s3.send(new DeleteObjectsCommand({ Bucket: target, Delete: { Objects, Quiet: true } }));
  }
}
