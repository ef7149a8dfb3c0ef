"""What every chart and table must show, counted by pandas straight from the tables' raw rows."""
