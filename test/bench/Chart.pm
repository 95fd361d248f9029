# Line charts as SVG: a picture is a row or a grid of panels with one legend.
package Chart;
use strict;
use warnings;
use utf8;
use Exporter 'import';
use List::Util qw(max min);
use POSIX qw(ceil floor);

our @EXPORT = qw(chart);

my ($width, $height);          # of a panel's frame
my ($left, $top) = (46, 30);   # where it begins in the panel
my @colors = map { "#$_" } qw(d62728 1f77b4 2ca02c ff7f0e 9467bd 8c564b e377c2 17becf bcbd22 7f7f7f);

sub escape
{
	my ($text) = @_;
	my %entity = ('&' => '&amp;', '<' => '&lt;', '>' => '&gt;');
	return $text =~ s/([&<>])/$entity{$1}/gr;
}

sub label
{
	my ($x, $y, $anchor, $text, $more) = @_;
	return sprintf qq(<text x="%.1f" y="%.1f" text-anchor="%s"%s>%s</text>\n),
	  $x, $y, $anchor, $more // '', escape($text);
}

# ticks chooses about five round values of a linear axis.
sub ticks
{
	my ($low, $high) = @_;
	my $step = 10**floor(log(($high - $low) / 2) / log 10);
	$step *= 2 while ($high - $low) / $step > 6;
	return map { $_ * $step } ceil($low / $step - 1e-9) .. floor($high / $step + 1e-9);
}

# panel draws one coordinate system, x being logarithmic, y linear. The name of a
# series chooses its color.
sub panel
{
	my ($x0, $y0, $panel, $style) = @_;
	my %series = %{ $panel->{series} };
	my @x = map { $_->[0] } map { @$_ } values %series;
	my @y = map { $_->[1] } map { @$_ } values %series;
	my ($xlow, $xhigh) = map { log } @{ $panel->{x_range} // [ min(@x), max(@x) ] };
	my ($ylow, $yhigh) = @{ $panel->{y_range} // [ min(@y), max(@y) ] };
	my $sx = sub { $x0 + $left + $width * ($_[0] - $xlow) / ($xhigh - $xlow || 1) };
	my $sy = sub { $y0 + $top + $height * ($yhigh - $_[0]) / ($yhigh - $ylow || 1) };

	my $svg = label($x0 + $left + $width / 2, $y0 + 18, 'middle', $panel->{title}, ' font-weight="bold"');
	for my $tick (ticks($ylow, $yhigh))
	{
		my $y = $sy->($tick);
		$svg .= sprintf qq(<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#ddd"/>\n),
		  $x0 + $left, $x0 + $left + $width, $y, $y;
		$svg .= label($x0 + $left - 5, $y + 4, 'end', $tick);
	}
	for my $tick (@{ $panel->{x_ticks} })
	{
		my $x = $sx->(log $tick);
		$svg .= sprintf qq(<line x1="%.1f" x2="%.1f" y1="%.1f" y2="%.1f" stroke="#ddd"/>\n),
		  $x, $x, $y0 + $top, $y0 + $top + $height;
		$svg .= label($x, $y0 + $top + $height + 15, 'middle', $tick);
	}
	$svg .= sprintf qq(<rect x="%.1f" y="%.1f" width="%d" height="%d" fill="none" stroke="#888"/>\n),
	  $x0 + $left, $y0 + $top, $width, $height;
	$svg .= label($x0 + $left + $width / 2, $y0 + $top + $height + 32, 'middle', $panel->{x_label});
	for my $name (sort { $style->{$a}{order} <=> $style->{$b}{order} } keys %series)
	{
		my $points = join ' ', map { sprintf '%.1f,%.1f', $sx->(log $_->[0]), $sy->($_->[1]) } @{ $series{$name} };
		$svg .= qq(<polyline points="$points" fill="none" $style->{$name}{stroke}/>\n);
	}
	return $svg;
}

# chart writes a picture: its title, the names of the series in the order of the
# legend, how many panels beside each other and how large their frames are, and
# the panels {title, x_label, x_ticks, series => {name => [[x, y], ...]}}.
sub chart
{
	my ($file, $title, $names, $size, @panels) = @_;
	(my $columns, $width, $height) = @$size;
	my %style;
	for my $i (0 .. $#$names)
	{
		$style{ $names->[$i] } = {
			order => -$i,
			stroke => sprintf 'stroke="%s" stroke-width="%s"', $colors[ $i % @colors ], $i == 0 ? 2.5 : 1.3 };
	}
	my ($wide, $high) = ($left + $width + 24, $top + $height + 48);
	my $total = $wide * $columns + 10;
	my $abreast = floor($total / 220);
	my $legend = 46 + 18 * ceil(@$names / $abreast);
	my $svg = label(12, 24, 'start', $title, ' font-size="15" font-weight="bold"');
	for my $i (0 .. $#$names)
	{
		my ($x, $y) = (12 + ($i % $abreast) * ($total - 24) / $abreast, 46 + 18 * int($i / $abreast));
		$svg .= sprintf qq(<line x1="%.1f" x2="%.1f" y1="%d" y2="%d" %s/>\n),
		  $x, $x + 22, $y - 4, $y - 4, $style{ $names->[$i] }{stroke};
		$svg .= label($x + 28, $y, 'start', $names->[$i]);
	}
	for my $i (0 .. $#panels)
	{
		$svg .= panel(($i % $columns) * $wide, $legend + int($i / $columns) * $high, $panels[$i], \%style);
	}
	my $tall = $legend + ceil(@panels / $columns) * $high;
	open my $out, '>:utf8', "$ENV{OUT}/$file" or die "$file: $!\n";
	print $out qq(<svg xmlns="http://www.w3.org/2000/svg" width="$total" height="$tall" viewBox="0 0 $total $tall")
	  . qq( font-family="sans-serif" font-size="11">\n<rect width="$total" height="$tall" fill="white"/>\n$svg</svg>\n);
	close $out;
	return;
}

1;
