import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const kmsModel: ServiceModel = {
  name: 'kms',
  protocols: ['awsJson1_1'],
  version: '2014-11-01',
  target: 'TrentService',
  schemas: () => import('@aws-sdk/client-kms/dist-es/schemas/schemas_0.js'),
};
