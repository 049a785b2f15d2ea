declare const HASHER_URL: string;
declare module "*.css";
