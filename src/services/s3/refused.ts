const lock = 'Object Lock is not there: use bucket versioning to keep deleted objects';
const directory = 'directory buckets are not there: use general purpose buckets';
const metrics = 'S3 storage metrics are not there';
const inventory = 'inventories are not there: list the bucket instead';
const tables = 'metadata tables are not there: list the bucket instead';
const annotations = 'object annotations are not there: use tags or user metadata';
const tiering = 'nothing moves between access tiers here';
const website = 'website hosting is not there: serve objects by their own addresses';

/** Operations of the S3 API that are refused by name, and what is there instead. */
export const refused: Readonly<Record<string, string>> = {
  CreateBucketMetadataConfiguration: tables,
  CreateBucketMetadataTableConfiguration: tables,
  CreateSession: directory,
  DeleteBucketAnalyticsConfiguration: metrics,
  DeleteBucketIntelligentTieringConfiguration: tiering,
  DeleteBucketInventoryConfiguration: inventory,
  DeleteBucketMetadataConfiguration: tables,
  DeleteBucketMetadataTableConfiguration: tables,
  DeleteBucketMetricsConfiguration: metrics,
  DeleteBucketReplication: 'replication is not there: nothing to delete',
  DeleteBucketWebsite: website,
  DeleteObjectAnnotation: annotations,
  GetBucketAbac: 'attribute-based access by bucket tags is not there: use bucket policies',
  GetBucketAnalyticsConfiguration: metrics,
  GetBucketIntelligentTieringConfiguration: tiering,
  GetBucketInventoryConfiguration: inventory,
  GetBucketMetadataConfiguration: tables,
  GetBucketMetadataTableConfiguration: tables,
  GetBucketMetricsConfiguration: metrics,
  GetObjectAnnotation: annotations,
  GetObjectLegalHold: lock,
  GetObjectRetention: lock,
  GetObjectTorrent: 'torrents are not there: use GetObject',
  ListBucketAnalyticsConfigurations: metrics,
  ListBucketIntelligentTieringConfigurations: tiering,
  ListBucketInventoryConfigurations: inventory,
  ListBucketMetricsConfigurations: metrics,
  ListDirectoryBuckets: directory,
  ListObjectAnnotations: annotations,
  PutBucketAbac: 'attribute-based access by bucket tags is not there: use bucket policies',
  PutBucketAccelerateConfiguration: 'transfer acceleration is not there: requests are local already',
  PutBucketAnalyticsConfiguration: metrics,
  PutBucketIntelligentTieringConfiguration: tiering,
  PutBucketInventoryConfiguration: inventory,
  PutBucketLogging: 'server access logs are not there: use the access log of Kobune',
  PutBucketMetricsConfiguration: metrics,
  PutBucketReplication: 'replication is not there: use notifications and a function that copies',
  PutBucketRequestPayment: 'the owner of a bucket pays: Requester Pays is not there',
  PutBucketWebsite: website,
  PutObjectAnnotation: annotations,
  PutObjectLegalHold: lock,
  PutObjectLockConfiguration: lock,
  PutObjectRetention: lock,
  RenameObject: 'it is for directory buckets: use CopyObject and DeleteObject',
  RestoreObject: 'no storage class here archives objects: read them directly',
  SelectObjectContent: 'queries inside objects are not there: use GetObject, with a range if need be',
  UpdateBucketMetadataAnnotationTableConfiguration: tables,
  UpdateBucketMetadataInventoryTableConfiguration: tables,
  UpdateBucketMetadataJournalTableConfiguration: tables,
  UpdateObjectEncryption: 'objects have one kind of encryption, AES256',
  WriteGetObjectResponse: 'Object Lambda is not there: use a function URL',
};
