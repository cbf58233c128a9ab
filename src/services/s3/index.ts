export { createS3, type S3Options, type S3Service } from './create-s3.ts';
export type { S3Objects } from './s3-objects.ts';
