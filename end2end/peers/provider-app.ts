/** What a provider knows us by. */
export interface ProviderApp {
  clientId: string;
  clientSecret: string;
}
