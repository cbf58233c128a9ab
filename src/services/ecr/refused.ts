/** Operations that are refused, with what to do instead. */
const REASONS: readonly (readonly [reason: string, operations: string])[] = [
  ['Images are not scanned by ECR here.', 'StartImageScan DescribeImageScanFindings'],
  [
    'Images are not signed by ECR here; sign them with cosign or notation, whose signatures the registry keeps as referrers.',
    'PutSigningConfiguration GetSigningConfiguration DeleteSigningConfiguration DescribeImageSigningStatus',
  ],
  ['Images are not archived here: they cost what the disk costs.', 'UpdateImageStorageClass'],
  [
    'Every pull counts for the time of the last pull.',
    'RegisterPullTimeUpdateExclusion DeregisterPullTimeUpdateExclusion ListPullTimeUpdateExclusions',
  ],
  [
    'Images are copied when they are pushed; push an image again to have it copied.',
    `StartReplicationBackfill StopReplicationBackfill ListReplicationBackfills DescribeReplicationBackfillResults`,
  ],
];

export const REFUSED: Readonly<Record<string, string>> = Object.fromEntries(
  REASONS.flatMap(([reason, operations]) => operations.split(/\s+/).map((operation) => [operation, reason])),
);
