import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const secretsManagerModel: ServiceModel = {
  name: 'secretsmanager',
  protocols: ['awsJson1_1'],
  version: '2017-10-17',
  target: 'secretsmanager',
  schemas: () => import('@aws-sdk/client-secrets-manager/dist-es/schemas/schemas_0.js'),
};
