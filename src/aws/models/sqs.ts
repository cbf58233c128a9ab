import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const sqsModel: ServiceModel = {
  name: 'sqs',
  // Clients before 2023 (boto3 1.26, CLI 2.9) speak query.
  protocols: ['awsJson1_0', 'query'],
  version: '2012-11-05',
  target: 'AmazonSQS',
  xmlNamespace: 'http://queue.amazonaws.com/doc/2012-11-05/',
  hosts: ['sqs', 'queue'],
  queryCompatible: true,
  missingMember: { code: 'MissingParameter', style: 'parameter' },
  schemas: () => import('@aws-sdk/client-sqs/dist-es/schemas/schemas_0.js'),
};
