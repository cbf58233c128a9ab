import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const logsModel: ServiceModel = {
  name: 'logs',
  protocols: ['awsJson1_1'],
  version: '2014-03-28',
  target: 'Logs_20140328',
  missingMember: { code: 'InvalidParameterException' },
  hosts: ['logs', 'streaming-logs', 'stream-logs'],
  schemas: () => import('@aws-sdk/client-cloudwatch-logs/dist-es/schemas/schemas_0.js'),
};
