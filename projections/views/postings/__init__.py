"""What each event did to points and stock, when that counts and when it was known: any past can be summed up."""
