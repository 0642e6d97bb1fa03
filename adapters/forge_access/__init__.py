"""What every forge with an API over HTTP needs: its address, tokens, a careful client, the mark of what is ours."""
