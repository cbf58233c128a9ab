import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const eventsModel: ServiceModel = {
  name: 'events',
  protocols: ['awsJson1_1'],
  version: '2015-10-07',
  target: 'AWSEvents',
  schemas: () => import('@aws-sdk/client-eventbridge/dist-es/schemas/schemas_0.js'),
};
