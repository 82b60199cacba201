"""Commands of other trainers as imprint's: their flags, and what each is here."""
