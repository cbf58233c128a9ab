import './schema-modules.ts';
import type { ServiceModel } from '../schema/model.ts';

export const lambdaModel: ServiceModel = {
  name: 'lambda',
  protocols: ['restJson1'],
  version: '2015-03-31',
  // A 50 MB archive in base64 inside JSON.
  maxBodySize: 72 * 1024 * 1024,
  contentTypes: { Invoke: 'application/json' },
  schemas: () => import('@aws-sdk/client-lambda/dist-es/schemas/schemas_0.js'),
};
