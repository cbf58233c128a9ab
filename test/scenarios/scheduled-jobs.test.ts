import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { GetObjectCommand, ListObjectsV2Command, S3Client } from '@aws-sdk/client-s3';
import { deploy } from '../../examples/scheduled-jobs/deploy.ts';
import { moveClock } from '../support/clock.ts';
import { eventually } from '../support/eventually.ts';
import { confirmSubscription, readOutbox } from '../support/outbox.ts';
import { type RunningKobune, runKobune } from '../support/running-kobune.ts';

const HOUR_MS = 3_600_000;
const NIGHTS = 10;

describe('scheduled-jobs example', () => {
  for (const iam of ['off', 'enforce'] as const) {
    it(`backs up each night and reports each Monday, with --iam ${iam}`, { timeout: 120_000 }, async () => {
      await using server = await runKobune({ iam });
      // A second attempt signs with the time of the server, which is not this machine's any more.
      const s3 = new S3Client({ ...server.settings(), forcePathStyle: true, maxAttempts: 2 });
      try {
        const connection = { endpoint: server.endpoint, credentials: server.root, print: () => {} };
        await deploy(connection);
        await confirmSubscription(await eventually(async () => (await readOutbox(server))[0]));
        await deploy(connection);
        const weeks = new Set<string>();
        const nights: string[] = [];
        for (let night = 0; night < NIGHTS; night++) {
          const { day, monday } = await letDayPass(server);
          if (day !== undefined) {
            nights.push(day);
            await backup(s3, day);
          }
          // Functions that are still at work when the clock jumps a day would find their credentials expired.
          if (monday) weeks.add(await nextReport(server, weeks.size));
        }
        await retained(s3, nights);
        const [week] = [...weeks];
        const report = await readReport(s3, week!);
        assert.deepEqual([report.week, report.objects, report.bytes], [week, 2, 20]);
        const mails = (await readOutbox(server)).filter(({ subject }) => subject?.startsWith('Storage in'));
        assert.equal(mails.length, weeks.size);
        assert.equal(mails[0]!.to, 'ops@example.com');
        assert.match(mails[0]!.body, /^2 objects, 20 bytes\. Backups: .*\d{4}-\d\d-\d\d/);
      } finally {
        s3.destroy();
      }
    });
  }
});

/**
 * Moves the clock by a day. Tells the day whose two o'clock it passed (in spring there is a night without one), and
 * whether it passed a Monday at nine, both in Berlin.
 */
async function letDayPass(server: RunningKobune): Promise<{ day: string | undefined; monday: boolean }> {
  const end = Date.parse((await moveClock(server, 24 * HOUR_MS)).now);
  const berlin = new Intl.DateTimeFormat('en-CA', {
    timeZone: 'Europe/Berlin',
    dateStyle: 'short',
    timeStyle: 'short',
    hourCycle: 'h23',
  });
  const weekday = new Intl.DateTimeFormat('en', { timeZone: 'Europe/Berlin', weekday: 'short' });
  const hours = Array.from({ length: 24 }, (_, back) => Math.floor(end / HOUR_MS - back) * HOUR_MS);
  const at = (time: string) => hours.filter((hour) => berlin.format(hour).endsWith(`, ${time}`));
  const [two] = at('02:00');
  return {
    day: two === undefined ? undefined : new Date(two).toISOString().slice(0, 10),
    monday: at('09:00').some((hour) => weekday.format(hour) === 'Mon'),
  };
}

/** Waits until both documents are in the backup of the day. */
async function backup(s3: S3Client, day: string): Promise<void> {
  const keys = await eventually(async () => {
    const { Contents } = await s3.send(
      new ListObjectsV2Command({ Bucket: 'documents-backup', Prefix: `backups/${day}/` }),
    );
    return Contents?.length === 2 ? Contents.map(({ Key = '' }) => Key.split('/').slice(2).join('/')) : undefined;
  });
  assert.deepEqual(keys, ['contracts/2026-001.txt', 'letters/to do & done.txt']);
}

/** Waits until only the last night's backup is there, and those of the seven days before. */
async function retained(s3: S3Client, nights: readonly string[]): Promise<void> {
  const oldest = new Date(Date.parse(nights.at(-1)!) - 7 * 24 * HOUR_MS).toISOString().slice(0, 10);
  const wanted = nights.filter((day) => day >= oldest).map((day) => `backups/${day}/`);
  await eventually(async () => {
    const { CommonPrefixes } = await s3.send(
      new ListObjectsV2Command({ Bucket: 'documents-backup', Prefix: 'backups/', Delimiter: '/' }),
    );
    const there = CommonPrefixes?.map(({ Prefix }) => Prefix);
    return isDeepStrictEqual(there, wanted) || undefined;
  });
}

/** Waits for one more mail with a report; returns its week. */
async function nextReport(server: RunningKobune, before: number): Promise<string> {
  return eventually(async () => {
    const weeks = (await readOutbox(server)).flatMap(
      ({ subject }) => /^Storage in (\S+)$/.exec(subject ?? '')?.[1] ?? [],
    );
    return weeks[before];
  });
}

interface Report {
  readonly week: string;
  readonly objects: number;
  readonly bytes: number;
}

async function readReport(s3: S3Client, week: string): Promise<Report> {
  const Key = `reports/${week}.json`;
  const { Body } = await s3.send(new GetObjectCommand({ Bucket: 'documents-backup', Key }));
  return JSON.parse(await Body!.transformToString());
}
