import { PutObjectCommand, paginateListObjectsV2, S3Client } from '@aws-sdk/client-s3';
import { PublishCommand, SNSClient } from '@aws-sdk/client-sns';

const s3 = new S3Client({});
const sns = new SNSClient({});
const { BACKUP_BUCKET, SOURCE_BUCKET, TOPIC_ARN } = process.env;

const DAY_MS = 86_400_000;

interface Report {
  readonly week: string;
  readonly objects: number;
  readonly bytes: number;
  /** Days of which there is a backup. */
  readonly backups: readonly string[];
}

/** Counts what is stored and what is backed up, keeps the report of the week, and sends it. */
export async function handler({ time }: { time: string }): Promise<Report> {
  const stored = await listObjects(SOURCE_BUCKET!, '');
  const backedUp = await listObjects(BACKUP_BUCKET!, 'backups/');
  const report: Report = {
    week: isoWeek(new Date(time)),
    objects: stored.length,
    bytes: stored.reduce((sum, { size }) => sum + size, 0),
    backups: [...new Set(backedUp.map(({ key }) => key.split('/')[1]!))],
  };
  const Key = `reports/${report.week}.json`;
  const Body = JSON.stringify(report);
  await s3.send(new PutObjectCommand({ Bucket: BACKUP_BUCKET, Key, Body, ContentType: 'application/json' }));
  await sns.send(
    new PublishCommand({
      TopicArn: TOPIC_ARN,
      Subject: `Storage in ${report.week}`,
      Message: `${report.objects} objects, ${report.bytes} bytes. Backups: ${report.backups.join(', ') || 'none'}.`,
    }),
  );
  console.log(`wrote ${Key} and sent it`);
  return report;
}

async function listObjects(Bucket: string, Prefix: string): Promise<{ key: string; size: number }[]> {
  const found: { key: string; size: number }[] = [];
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket, Prefix })) {
    for (const { Key = '', Size = 0 } of page.Contents ?? []) found.push({ key: Key, size: Size });
  }
  return found;
}

/** `2026-W49`: weeks begin on Monday, and the first is the one with the year's first Thursday (ISO 8601). */
function isoWeek(date: Date): string {
  const thursday = new Date(date.getTime() + (3 - ((date.getUTCDay() + 6) % 7)) * DAY_MS);
  const year = thursday.getUTCFullYear();
  const days = (thursday.getTime() - Date.UTC(year, 0, 1)) / DAY_MS;
  return `${year}-W${String(Math.floor(days / 7) + 1).padStart(2, '0')}`;
}
