export { type AwsFrontEnd, type AwsFrontEndOptions, createAwsFrontEnd } from './front-end.ts';
export { iamModel } from './models/iam.ts';
export { lambdaModel } from './models/lambda.ts';
export { logsModel } from './models/logs.ts';
export { s3Model } from './models/s3.ts';
export { sqsModel } from './models/sqs.ts';
export { stsModel } from './models/sts.ts';
export type { ServiceModel } from './schema/model.ts';
export type { ServiceEntry } from './service-registry.ts';
