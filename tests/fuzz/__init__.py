"""Bad input on every RPC, made from the descriptors of the contract: what is added to it is covered by itself."""
