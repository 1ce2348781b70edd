# oracle.kernel.exponential, second half: leading + low = T exp(-R) but for BOUND, relative; R = r1 + r2 - DX by reduction.g.
# The code's names stand for what float64 holds; capitals are real numbers. E = exp(-R), T = 2^(j/1024).
# CUT: what the polynomial, with its rounded coefficients, leaves of E; TABLE: what head + tail leave of T.
@r = float<ieee_64, ne>;
c6 = @C6@;
c24 = @C24@;
c120 = @C120@;
r1 = fixed<-38, ne>(R1);
r2 = r(R2);
head = float<26, -200, ne>(HEAD);
tail = r(TAIL);

x r= r1 + r2;
square r= x * x;
bracket r= 0.5 - x * (c6 - x * (c24 - x * c120));
p r= square * bracket;
q r= p - r2;
first = head - head * r1;                # head * r1 is exact: first goal
leading = r(first);
error = first - leading;                 # fast_two_sum is exact
factor r= 1 + (q - r1);
hq r= head * q;
tf r= tail * factor;
inner r= hq + tf;
low r= inner + error;

R = r1 + r2 - DX;
P = R * R * (0.5 - R * (c6 - R * (c24 - R * c120)));
                                         # E = 1 - R + P + CUT, T = head + tail + TABLE
X = x * x * (0.5 - x * (c6 - x * (c24 - x * c120)));  # the polynomial at x, exactly
ROUNDINGS = (low - (inner + error)) + (inner - (hq + tf)) + (hq - head * q) + (tf - tail * factor)
          + tail * (factor - (1 + (q - r1)));
SERIES = (q - (p - r2)) + (p - X) + (X - P) - DX - CUT;  # (1 - r1 + q) - E
# leading + low - T E = ROUNDINGS + (head + tail) SERIES - TABLE E, by the definitions above; W = (head + tail)/T
TOTAL = ROUNDINGS / (T * E) + W * (SERIES / E) - TABLE / T;

{ R1 in [-@R_HEAD@, @R_HEAD@] /\ |R2| <= @R2@ /\ |DX| <= @DX@ /\ HEAD in [1, 2] /\ |TAIL| <= @TAIL@
  /\ |TABLE| <= @TABLE@ /\ |CUT| <= @CUT@ /\ T in [1, 2] /\ E in [0.9996, 1.0004] /\ |W - 1| <= @TABLE@
  ->
     r(head * r1) - head * r1 in [0, 0]
  /\ |q| <= 0x1p-23
  /\ |TOTAL| <= @BOUND@ }

X - P -> (x - R) * ((x + R) * (0.5 - x * (c6 - x * (c24 - x * c120)))
       - R * R * ((c6 - x * (c24 - x * c120)) - R * ((c24 - x * c120) - R * c120)));
x - R -> (x - (r1 + r2)) + DX;
